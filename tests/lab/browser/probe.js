// Measures each frame's page: what is shown, what sticks out, what is hard to read, what would run.
const luminance = colour => {
  const channels = colour.slice(0, 3).map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * channels[0] + 0.7152 * channels[1] + 0.0722 * channels[2];
};
const parts = colour => colour.match(/[\d.]+/g).map(Number);

function measure(frame) {
  const page = frame.contentDocument, view = frame.contentWindow, faults = [];
  const shown = page.body.innerText;
  page.querySelectorAll("details").forEach(details => { details.open = true; });
  const width = page.documentElement.clientWidth;
  if (page.documentElement.scrollWidth > width) faults.push(`scrolls sideways: ${page.documentElement.scrollWidth}`);
  let texts = 0;
  for (const element of page.body.querySelectorAll("*")) {
    const name = `${element.tagName}.${element.getAttribute("class")}`, drawn = element.closest("svg");
    const box = element.getBoundingClientRect();
    // A wide graph scrolls in its own box.
    if (!drawn && (box.right > width + 0.5 || box.left < -0.5)) faults.push(`${name} reaches to ${box.right}`);
    if (drawn && element.tagName === "text") {
      const edge = drawn.getBoundingClientRect().right;
      if (box.right > edge + 1) faults.push(`${name} is cut at ${edge}, it ends at ${box.right}`);
    }
    const own = [...element.childNodes].some(node => node.nodeType === Node.TEXT_NODE && node.data.trim());
    if (!own || element.tagName === "title") continue;
    texts += 1;
    const style = view.getComputedStyle(element);
    if (parseFloat(style.fontSize) < 11) faults.push(`${name} has ${style.fontSize}`);
    let ground = element;
    while (ground && parts(view.getComputedStyle(ground).backgroundColor)[3] === 0) ground = ground.parentElement;
    const ink = luminance(parts(drawn ? style.fill : style.color));
    const under = luminance(parts(view.getComputedStyle(ground || page.documentElement).backgroundColor));
    const contrast = (Math.max(ink, under) + 0.05) / (Math.min(ink, under) + 0.05);
    if (contrast < 4.5) faults.push(`${name} has a contrast of ${contrast.toFixed(2)}`);
  }
  const ran = [];
  if (page.scripts.length) ran.push("it has scripts");
  if (top.ran) ran.push("hostile text ran");
  const smuggled = page.createElement("script");
  smuggled.textContent = "window.smuggled = 1";
  page.body.append(smuggled);
  if (view.smuggled) ran.push("a script that was smuggled in");
  const dark = view.matchMedia("(prefers-color-scheme: dark)").matches;
  return {width, dark, texts, faults, ran, shown};
}

window.onload = () => {
  const measured = [...document.querySelectorAll("iframe")].map(measure);
  document.getElementById("result").textContent = JSON.stringify(measured);
};

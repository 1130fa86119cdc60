//! The policy child: limits itself, evaluates, answers.

use super::coverage::Told;
use super::decide;
use super::gatekeeper;
use super::location::Fault;
use super::protocol::{Header, Line, Request, Step, Subject, SubjectVerdicts, Task, TestResult};
use super::syntax::Module;
use super::world::World;
use crate::error::Error;
use crate::model::verdict::Decision;
use rustix::process::{Resource, Rlimit, Signal, getpid, getrlimit, kill_process, setrlimit};
use std::io::{BufRead, BufReader, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Bytes of the first line at most.
const HEADER: u64 = 4 << 10;
/// What the evaluator gets beyond the deadline to say where its own timer stopped it.
const GRACE_MS: u64 = 500;
/// Time between two looks of the watchdog.
const WATCH: Duration = Duration::from_millis(10);

/// Answers one request. To be called first thing in a process of its own, before any thread is
/// started: it limits that process for good.
///
/// # Errors
/// When the request can't be read, the limits can't be set or the answer can't be written.
pub fn run(stdin: impl Read, stdout: impl Write) -> Result<(), Error> {
    let mut stdin = BufReader::new(stdin);
    let mut first = Vec::new();
    let unread = |error: &dyn std::error::Error| Error::bug("the policy child can't read its request").caused_by(error);
    stdin.by_ref().take(HEADER).read_until(b'\n', &mut first).map_err(|error| unread(&error))?;
    let header: Header = serde_json::from_slice(&first).map_err(|error| unread(&error))?;
    limit(header).map_err(|error| Error::bug("the policy child can't limit itself").caused_by(&error))?;
    let watchdog = Watchdog::start(Duration::from_millis(header.deadline_ms))
        .map_err(|error| Error::bug("the policy child can't watch itself").caused_by(&error))?;
    let mut body = Vec::new();
    stdin.read_to_end(&mut body).map_err(|error| unread(&error))?;
    let request: Request = serde_json::from_slice(&body).map_err(|error| unread(&error))?;
    drop(body);
    answer(&request, stdout, &watchdog)
        .map_err(|error| Error::bug("the policy child can't write its answer").caused_by(&error))
}

/// Bounds memory, processor time and files of this process. Memory on Linux only: macOS does not
/// enforce this bound; there the deadline ends a policy that eats memory.
fn limit(header: Header) -> std::io::Result<()> {
    // Tests get the deadline each, one after the other; the watchdog is the tighter bound.
    let seconds = header.deadline_ms.div_ceil(1_000).saturating_mul(20).max(1);
    let memory = cfg!(target_os = "linux").then_some((Resource::As, header.memory));
    let others = [(Resource::Cpu, seconds), (Resource::Core, 0), (Resource::Fsize, 0)];
    for (resource, bound) in memory.into_iter().chain(others) {
        let bound = getrlimit(resource).maximum.map_or(bound, |maximum| maximum.min(bound));
        setrlimit(resource, Rlimit { current: Some(bound), maximum: Some(bound) })?;
    }
    Ok(())
}

/// Ends the process with SIGALRM when a deadline passes: the evaluator can't be interrupted
/// inside a builtin.
pub(super) struct Watchdog {
    started: Instant,
    allowed: Duration,
    /// Milliseconds after `started`.
    end: Arc<AtomicU64>,
}

impl Watchdog {
    /// One that never bites.
    #[cfg(test)]
    pub(super) fn asleep(allowed: Duration) -> Self {
        Self { started: Instant::now(), allowed, end: Arc::new(AtomicU64::new(millis(allowed))) }
    }

    fn start(allowed: Duration) -> std::io::Result<Self> {
        let dog = Self { started: Instant::now(), allowed, end: Arc::new(AtomicU64::new(millis(allowed))) };
        let (started, end) = (dog.started, Arc::clone(&dog.end));
        // It allocates nothing, so that a full memory does not stop it.
        thread::Builder::new().name("watchdog".to_owned()).stack_size(64 << 10).spawn(move || {
            loop {
                thread::sleep(WATCH);
                if millis(started.elapsed()) > end.load(Ordering::Relaxed).saturating_add(GRACE_MS) {
                    let _ = kill_process(getpid(), Signal::ALARM);
                }
            }
        })?;
        Ok(dog)
    }

    /// Gives the next step its full time.
    fn feed(&self) {
        self.end.store(millis(self.started.elapsed() + self.allowed), Ordering::Relaxed);
    }

    /// When the time is over.
    fn end(&self) -> Instant {
        self.started + Duration::from_millis(self.end.load(Ordering::Relaxed))
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Writes one line per event, each before what it announces.
struct Answer<'r, W> {
    request: &'r Request,
    out: W,
}

impl<W: Write> Answer<'_, W> {
    fn line(&mut self, line: &Line) -> std::io::Result<()> {
        serde_json::to_writer(&mut self.out, line)?;
        self.out.write_all(b"\n")?;
        self.out.flush()
    }

    /// Announces a step unless an earlier child finished it or died of it.
    fn begin(&mut self, step: &Step) -> std::io::Result<bool> {
        let due = !self.request.done.contains(step) && !self.request.fatal.contains(step);
        if due {
            self.line(&Line::Begin(step.clone()))?;
        }
        Ok(due)
    }
}

pub(super) fn answer(request: &Request, out: impl Write, watchdog: &Watchdog) -> std::io::Result<()> {
    let mut answer = Answer { request, out };
    let world = parse(request, &mut answer)?;
    match request.task {
        Task::Parse => {}
        Task::Evaluate => evaluate(&world, &mut answer, watchdog)?,
        Task::Test => test(&world, &mut answer, watchdog)?,
        Task::Describe => describe(&world, &mut answer)?,
    }
    answer.line(&Line::Done)
}

fn parse<'r, W: Write>(request: &'r Request, answer: &mut Answer<'_, W>) -> std::io::Result<World<'r>> {
    let mut world = World::new(request).map_err(|fault| std::io::Error::other(fault.message))?;
    for (at, file) in request.files.iter().enumerate() {
        let step = Step::Parse(at);
        let is_unused = file.is_test && request.task == Task::Evaluate;
        if is_unused || request.fatal.contains(&step) {
            world.modules.push(None);
            continue;
        }
        let is_reported = request.done.contains(&step);
        answer.line(&Line::Begin(step.clone()))?;
        let (module, fault) = match Module::parse(&file.path, &file.text) {
            Ok(module) => (Some(module), None),
            Err(fault) => (None, Some(fault)),
        };
        world.modules.push(module);
        let Some(fault) = fault.filter(|_| !is_reported) else { continue };
        match request.task {
            Task::Describe => {}
            Task::Parse | Task::Evaluate => {
                let mut verdict = decide::denial(&world, at, "", fault);
                if file.is_template && request.task == Task::Evaluate {
                    // Its constraints deny what they match; without one it stops nothing.
                    verdict.decision = Decision::Warn;
                }
                let verdicts = vec![verdict];
                answer.line(&Line::Verdicts(step, vec![SubjectVerdicts { subject: Subject::File(at), verdicts }]))?;
            }
            Task::Test => {
                let result = TestResult {
                    name: file.name.clone(),
                    file: file.path.clone(),
                    line: fault.location.as_ref().map_or(1, |location| location.line),
                    passed: false,
                    message: fault.message,
                    reached: Vec::new(),
                };
                answer.line(&Line::Test(step, result))?;
            }
        }
    }
    Ok(world)
}

fn evaluate<W: Write>(world: &World<'_>, answer: &mut Answer<'_, W>, watchdog: &Watchdog) -> std::io::Result<()> {
    for at in world.idle() {
        let step = Step::Package(vec![at]);
        if answer.begin(&step)? {
            let message = "it has no rule `deny`, `violation`, `needs_approval` or `warn`, and no policy imports it";
            let verdicts = vec![decide::denial(world, at, "", Fault::new(message, None))];
            answer.line(&Line::Verdicts(step, vec![SubjectVerdicts { subject: Subject::File(at), verdicts }]))?;
        }
    }
    for files in world.packages() {
        let step = Step::Package(files.clone());
        if answer.begin(&step)? {
            let verdicts = decide::package(world, &files, watchdog.end());
            answer.line(&Line::Verdicts(step, verdicts))?;
        }
    }
    for at in 0..world.request.constraints.len() {
        let step = Step::Constraint(at);
        if answer.begin(&step)? {
            let verdicts = gatekeeper::decide(world, at, watchdog.end());
            let subject = Subject::Constraint(at);
            answer.line(&Line::Verdicts(step, vec![SubjectVerdicts { subject, verdicts }]))?;
        }
    }
    Ok(())
}

fn describe<W: Write>(world: &World<'_>, answer: &mut Answer<'_, W>) -> std::io::Result<()> {
    for at in 0..world.request.files.len() {
        let step = Step::Package(vec![at]);
        if world.module(at).is_some() && answer.begin(&step)? {
            answer.line(&Line::About(step, super::describe::file(world, at)))?;
        }
    }
    Ok(())
}

fn test<W: Write>(world: &World<'_>, answer: &mut Answer<'_, W>, watchdog: &Watchdog) -> std::io::Result<()> {
    let all: Vec<usize> = (0..world.request.files.len()).collect();
    let mut told = Told::default();
    for (at, module) in world.parsed(&all) {
        for (name, place) in decide::tests(module) {
            let step = Step::Test(at, name.clone());
            if answer.begin(&step)? {
                watchdog.feed();
                let result = decide::test(world, at, &name, place, watchdog.end(), &mut told);
                answer.line(&Line::Test(step, result))?;
            }
        }
    }
    Ok(())
}

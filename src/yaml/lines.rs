//! On which line of a file a place stands.

use super::split;
use super::tree::{Found, Tree};
use crate::model::path::Path;

/// The line, from 1, of `path` in a document, or that of the deepest collection on the way to it.
/// The flag says whether the whole path is there.
pub fn line(text: &str, document: usize, path: &Path) -> Option<(usize, bool)> {
    let range = split::documents(text).ok()?.get(document)?.clone();
    let tree = Tree::of(&text[range.clone()]).ok()?;
    let (chain, whole) = match tree.find(path).ok()? {
        Found::Node(chain) => (chain, true),
        Found::Missing(chain, _) => (chain, false),
    };
    let at = range.start + chain.last()?.range.start;
    Some((text[..at].matches('\n').count() + 1, whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_a_line_and_a_missing_one_that_of_its_parent() {
        let text = "# head\nkind: A\n---\nkind: B\nspec:\n  containers:\n    - name: app\n      image: x\r\n";
        let app = Path::of("spec.containers").item("app");
        assert_eq!(line(text, 0, &Path::of("kind")), Some((2, true)));
        assert_eq!(line(text, 1, &app.field("image")), Some((8, true)));
        assert_eq!(line(text, 1, &app.field("ports")), Some((7, false)));
        assert_eq!(line(text, 2, &Path::of("kind")), None);
        assert_eq!(line("a: [", 0, &Path::of("a")), None);
    }
}

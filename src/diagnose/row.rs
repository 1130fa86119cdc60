//! How a row of the catalogue is written.

/// Declares the rows of one family and their list `CODES`. A row is
/// `NAME "code" Class: title; meaning; signals; causes; fix.`
macro_rules! rows {
    ($family:literal; $($name:ident $code:literal $class:ident:
        $title:literal; $meaning:literal; $signals:literal; $causes:literal; $fix:literal.)*) => {
        $(pub(crate) static $name: $crate::model::code::CodeInfo = $crate::model::code::CodeInfo {
            name: $code,
            family: $family,
            title: $title,
            meaning: $meaning,
            signals: $signals,
            causes: $causes,
            class: $crate::model::code::FixClass::$class,
            fix: $fix,
        };)*
        /// Rows of this family.
        pub(crate) const CODES: &[&$crate::model::code::CodeInfo] = &[$(&$name),*];
    };
}
pub(crate) use rows;

//! Collects the calls and references of one rule.

use super::syntax::{At, Name};
use regorus::unstable::{self as ast, Expr};

/// The constant components of a reference, up to the first computed one.
pub(super) fn chain(expr: &Expr) -> Name {
    steps(expr).into_iter().map_while(|part| part).collect()
}

/// Every component of a reference; `None` is one that is computed, or no text.
pub(super) type Steps = Vec<Option<String>>;

/// The components of a reference, the root first. Empty when the root is no name.
fn steps(expr: &Expr) -> Steps {
    let (mut parts, mut here) = (Vec::new(), expr);
    loop {
        match here {
            Expr::RefDot { refr, field, .. } => {
                parts.push(field.1.as_string().ok().map(ToString::to_string));
                here = refr;
            }
            Expr::RefBrack { refr, index, .. } => {
                parts.push(match index.as_ref() {
                    Expr::String { value, .. } | Expr::RawString { value, .. } => {
                        value.as_string().ok().map(ToString::to_string)
                    }
                    _ => None,
                });
                here = refr;
            }
            Expr::Var { value, .. } => {
                parts.push(value.as_string().ok().map(ToString::to_string));
                break;
            }
            _ => return Vec::new(),
        }
    }
    parts.reverse();
    parts
}

/// What a walk over a rule collects.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) calls: Vec<(Name, At)>,
    pub(super) references: Vec<Name>,
    /// The same with what lies behind a computed component.
    pub(super) steps: Vec<Steps>,
}

impl Seen {
    pub(super) fn head<'r>(&mut self, head: &'r ast::RuleHead) -> (&'r Expr, bool) {
        match head {
            ast::RuleHead::Compr { refr, assign, .. } => {
                assign.iter().for_each(|assign| self.expr(&assign.value));
                (refr, false)
            }
            ast::RuleHead::Set { refr, key, .. } => {
                key.iter().for_each(|key| self.expr(key));
                (refr, false)
            }
            ast::RuleHead::Func { refr, args, assign, .. } => {
                args.iter().for_each(|argument| self.expr(argument));
                assign.iter().for_each(|assign| self.expr(&assign.value));
                (refr, true)
            }
        }
    }

    pub(super) fn query(&mut self, query: &ast::Query) {
        for statement in &query.stmts {
            match &statement.literal {
                ast::Literal::SomeVars { .. } => {}
                ast::Literal::SomeIn { key, value, collection, .. } => {
                    key.iter().for_each(|key| self.expr(key));
                    self.expr(value);
                    self.expr(collection);
                }
                ast::Literal::Expr { expr, .. } | ast::Literal::NotExpr { expr, .. } => self.expr(expr),
                ast::Literal::Every { domain, query, .. } => {
                    self.expr(domain);
                    self.query(query);
                }
            }
            for change in &statement.with_mods {
                self.expr(&change.refr);
                self.expr(&change.r#as);
            }
        }
    }

    /// The computed parts of a reference.
    pub(super) fn indexes(&mut self, expr: &Expr) {
        let mut here = expr;
        loop {
            here = match here {
                Expr::RefDot { refr, .. } => refr,
                Expr::RefBrack { refr, index, .. } => {
                    self.expr(index);
                    refr
                }
                Expr::Var { .. } => return,
                other => return self.expr(other),
            };
        }
    }

    pub(super) fn expr(&mut self, expr: &Expr) {
        match expr {
            Expr::String { .. }
            | Expr::RawString { .. }
            | Expr::Number { .. }
            | Expr::Bool { .. }
            | Expr::Null { .. } => {}
            Expr::Var { .. } | Expr::RefDot { .. } | Expr::RefBrack { .. } => {
                self.references.push(chain(expr));
                self.steps.push(steps(expr));
                self.indexes(expr);
            }
            Expr::Array { items, .. } | Expr::Set { items, .. } => items.iter().for_each(|item| self.expr(item)),
            Expr::Object { fields, .. } => fields.iter().for_each(|(_, key, value)| {
                self.expr(key);
                self.expr(value);
            }),
            Expr::ArrayCompr { term, query, .. } | Expr::SetCompr { term, query, .. } => {
                self.expr(term);
                self.query(query);
            }
            Expr::ObjectCompr { key, value, query, .. } => {
                self.expr(key);
                self.expr(value);
                self.query(query);
            }
            Expr::Call { span, fcn, params, .. } => {
                self.calls.push((chain(fcn), At::of(span)));
                params.iter().for_each(|parameter| self.expr(parameter));
            }
            Expr::UnaryExpr { expr, .. } => self.expr(expr),
            Expr::BinExpr { lhs, rhs, .. }
            | Expr::BoolExpr { lhs, rhs, .. }
            | Expr::ArithExpr { lhs, rhs, .. }
            | Expr::AssignExpr { lhs, rhs, .. } => {
                self.expr(lhs);
                self.expr(rhs);
            }
            Expr::Membership { key, value, collection, .. } => {
                key.iter().for_each(|key| self.expr(key));
                self.expr(value);
                self.expr(collection);
            }
        }
    }
}

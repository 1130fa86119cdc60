//! The `aifix` command: parse, run one command, exit.

use aifix::commands::{self, Session, complete, completions, runtime};
use aifix::error::Error;
use aifix::policy;
use aifix::settings::environment::{self, Environment};
use aifix::ui::{Colour, Ui};
use clap_complete::CompleteEnv;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};
use std::process::ExitCode;
use std::sync::Arc;

fn main() -> ExitCode {
    let typed = environment::typed();
    if typed.first().is_some_and(|word| word == policy::SUBCOMMAND) {
        // Before any thread is started: the policy child limits its process for good.
        let served = policy::child::run(std::io::stdin().lock(), aifix::ui::pipe());
        return end(&Ui::new(Colour::Never, false), served.map(|()| 0));
    }
    // A shell asks what to offer; it ends here then.
    CompleteEnv::with_factory(complete::command).var(completions::VARIABLE).complete();
    let cli = commands::parse();
    let ui = Ui::new(cli.color, cli.quiet);
    // Both kube and reqwest take the process's TLS provider; it may be installed once.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let session = Session { ui, environment: Environment::read(), typed, interruptible: Arc::default() };
    set_hook(Box::new(|_| {}));
    let outcome = catch_unwind(AssertUnwindSafe(|| runtime::block(cli.command, &session)));
    end(&session.ui, outcome.unwrap_or_else(|panic| Err(bug(panic.as_ref()))))
}

fn end(ui: &Ui, result: Result<u8, Error>) -> ExitCode {
    ExitCode::from(result.unwrap_or_else(|error| {
        ui.error(&error);
        error.kind.exit_code()
    }))
}

fn bug(panic: &(dyn std::any::Any + Send)) -> Error {
    let text =
        panic.downcast_ref::<&str>().map(ToString::to_string).or_else(|| panic.downcast_ref::<String>().cloned());
    Error::bug("aifix has a bug: nothing was pushed by this step")
        .because(text.unwrap_or_default())
        .hint("please report it with the command line and `aifix --version`")
}

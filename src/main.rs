//! The `aifix` command: parse, run one command, exit.

use aifix::commands::{self, Cli, Session, complete, completions};
use aifix::error::{Error, exit};
use aifix::policy;
use aifix::settings::environment::{self, Environment};
use aifix::ui::{Colour, Ui};
use clap_complete::CompleteEnv;
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};

fn main() -> ExitCode {
    let typed = environment::typed();
    if typed.first().is_some_and(|word| word == policy::SUBCOMMAND) {
        // Before any thread is started: it limits this process for good.
        return policy_child();
    }
    // A shell asks what to offer; it ends here then.
    CompleteEnv::with_factory(complete::command).var(completions::VARIABLE).complete();
    let cli = commands::parse();
    let ui = Ui::new(cli.color, cli.quiet);
    // Both kube and reqwest take the process's TLS provider; it may be installed once.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let session = Session { ui, environment: Environment::read(), typed };
    std::panic::set_hook(Box::new(|_| {}));
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(cli, &session)));
    let result = outcome.unwrap_or_else(|panic| Err(bug(panic.as_ref())));
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            session.ui.error(&error);
            ExitCode::from(error.kind.exit_code())
        }
    }
}

/// We are the child that evaluates policies for another aifix.
fn policy_child() -> ExitCode {
    match policy::child::run(std::io::stdin().lock(), aifix::ui::pipe()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            Ui::new(Colour::Never, false).error(&error);
            ExitCode::from(error.kind.exit_code())
        }
    }
}

fn run(cli: Cli, session: &Session) -> Result<u8, Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::bug("could not start").caused_by(&error))?;
    let code = runtime.block_on(async {
        let mut terminated =
            signal(SignalKind::terminate()).map_err(|error| Error::bug("no signals").caused_by(&error))?;
        // Dropping the command's future removes its scratch folders and ends its child processes.
        tokio::select! {
            result = commands::run(cli.command, session) => result,
            _ = tokio::signal::ctrl_c() => Ok(exit::INTERRUPTED),
            _ = terminated.recv() => Ok(exit::TERMINATED),
        }
    });
    runtime.shutdown_background();
    session.ui.restore();
    code
}

fn bug(panic: &(dyn std::any::Any + Send)) -> Error {
    let text =
        panic.downcast_ref::<&str>().map(ToString::to_string).or_else(|| panic.downcast_ref::<String>().cloned());
    Error::bug("aifix has a bug: nothing was pushed by this step")
        .because(text.unwrap_or_default())
        .hint("please report it with the command line and `aifix --version`")
}

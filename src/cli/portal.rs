//! `imbot portal`: the emulated portal alone, for bots in any language. Prints where its chat page is, where to call and
//! how to steer it, then a line for each call. Starts no server of ours.

use super::desk;
use super::exit;
use super::output::{complain, print};
use crate::lifecycle;
use crate::portal::{Portal, PortalConfig, Profile};
use crate::types::Clock;
use std::net::SocketAddr;
use std::path::PathBuf;

/// `imbot portal`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Where the portal answers.
    #[arg(long, default_value = "127.0.0.1:8070")]
    listen: SocketAddr,
    /// Where the control API answers: faults, clock, users who write.
    #[arg(long, default_value = "127.0.0.1:8071")]
    control: SocketAddr,
    /// Where the authorisation server answers by itself.
    #[arg(long)]
    authorisation: Option<SocketAddr>,
    /// How it behaves where portals differ: strict, observed or hostile.
    #[arg(long)]
    profile: Option<String>,
    /// The dice of a hostile portal.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Users, bots, applications and limits, as TOML.
    #[arg(long)]
    config: Option<PathBuf>,
}

/// Runs until SIGTERM or SIGINT.
pub(super) fn run(arguments: &Arguments) -> u8 {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format!("cannot start: {error}"));
            return exit::REFUSED;
        }
    };
    let code = match runtime.block_on(portal(arguments)) {
        Ok(()) => 0,
        Err(problem) => {
            complain(&problem);
            exit::REFUSED
        }
    };
    runtime.shutdown_background();
    code
}

async fn portal(arguments: &Arguments) -> Result<(), String> {
    let portal = Portal::start(config(arguments)?)
        .await
        .map_err(|error| format!("the portal cannot start on {}: {error}", arguments.listen))?;
    print(&welcome(&portal));
    let mut requests = portal.live_log();
    let stop = lifecycle::stop_signal();
    tokio::pin!(stop);
    loop {
        tokio::select! {
            signal = &mut stop => {
                return signal.map(|_| ()).map_err(|error| format!("cannot listen for signals: {error}"));
            }
            request = requests.recv() => if let Ok(request) = request {
                print(&desk::call_line(&request));
            }
        }
    }
}

/// The file, with what the arguments say over it.
fn config(arguments: &Arguments) -> Result<PortalConfig, String> {
    // Moves by itself, and ahead when the control API says so.
    let clock = Clock::manual(Clock::system().now());
    let mut config = match &arguments.config {
        None => PortalConfig::new(clock),
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
            PortalConfig::from_toml(&text, clock).map_err(|error| format!("{}: {error}", path.display()))?
        }
    };
    if let Some(name) = &arguments.profile {
        let profile = Profile::named(name, arguments.seed);
        let profile = profile.ok_or_else(|| format!("no profile `{name}`: strict, observed or hostile"))?;
        config = config.profile(profile);
    }
    if config.users.is_empty() {
        config.users = vec![(27, "Ann Lee".to_owned()), (28, "Ben Kim".to_owned())];
    }
    // Bots at this desk listen on this machine.
    config.knobs.local_callbacks = true;
    Ok(PortalConfig {
        listen: arguments.listen,
        control: Some(arguments.control),
        authorisation: arguments.authorisation.or(config.authorisation),
        ticking: true,
        page: true,
        normalize: Some(desk::normalized),
        ..config
    })
}

fn welcome(portal: &Portal) -> String {
    let webhook = portal.incoming_webhook();
    let control = portal
        .control_address()
        .map(|address| format!("http://{address}/_mock/"));
    let control = control.unwrap_or_default();
    format!(
        "imbot portal\n\n  open     {}   (the chat page)\n\n  portal   {}   (emulated: no account needed)\n  webhook  {webhook}\n  control  {control}\n\n\
         Register a bot:\n\n  curl -sS {webhook}imbot.v2.Bot.register -H 'Content-Type: application/json' -d \
         '{{\"fields\":{{\"code\":\"mine\",\"botToken\":\"my-token\",\"properties\":{{\"name\":\"My bot\"}},\
         \"eventMode\":\"webhook\",\"webhookUrl\":\"http://127.0.0.1:8080/\"}}}}'\n\n\
         Write to it as user 27 (its id is in the answer):\n\n  curl -sS {control}say -d \
         '{{\"user\":27,\"dialog\":\"601\",\"text\":\"Hello\"}}'\n\nWhat happens (Ctrl-C ends):\n",
        portal.page(),
        portal.endpoint(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, clap::Parser)]
    struct Alone {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn parsed(line: &str) -> Arguments {
        Alone::try_parse_from(line.split_whitespace()).unwrap().arguments
    }

    #[test]
    fn arguments_go_over_the_file_and_an_unknown_profile_is_named() {
        let read = config(&parsed("portal --listen 127.0.0.1:0 --profile observed")).unwrap();
        assert!(read.knobs.invalid_credentials && read.knobs.local_callbacks && read.ticking);
        assert_eq!(read.listen.port(), 0);
        let wrong = config(&parsed("portal --profile lax")).unwrap_err();
        assert!(wrong.contains("lax"), "{wrong}");
        assert!(
            config(&parsed("portal --config /no/such/file"))
                .unwrap_err()
                .contains("/no/such/file")
        );
    }

    #[tokio::test]
    async fn the_welcome_has_the_addresses() {
        let read = config(&parsed("portal --listen 127.0.0.1:0 --control 127.0.0.1:0")).unwrap();
        let portal = Portal::start(read).await.unwrap();
        let welcome = welcome(&portal);
        assert!(welcome.contains(&portal.incoming_webhook()), "{welcome}");
        assert!(
            welcome.contains(&portal.control_address().unwrap().to_string()) && welcome.contains(&portal.page()),
            "{welcome}"
        );
    }
}

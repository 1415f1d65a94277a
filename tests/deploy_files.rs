//! Each file of deploy/ before its own tool; without the tool the test says `not run`.

use crate::support::{must, replaced, root, run, text, tool};
use serde_norway::Value;
use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

/// systemd counts in tenths: 15 is an exposure of 1.5.
const EXPOSURE_AT_MOST: &str = "--threshold=15";

fn yaml(path: &str) -> Value {
    serde_norway::from_str(&text(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn promtool_accepts_the_scrape_example_and_the_alarms() {
    let Some(promtool) = tool("promtool") else { return };
    let deploy = root().join("deploy");
    must(
        Command::new(&promtool)
            .current_dir(&deploy)
            .args(["check", "config", "prometheus.yml"]),
    );
    must(
        Command::new(&promtool)
            .current_dir(&deploy)
            .args(["check", "rules", "prometheus.rules.yml"]),
    );
    must(
        Command::new(&promtool)
            .current_dir(&deploy)
            .args(["test", "rules", "prometheus.rules.test.yml"]),
    );
}

#[test]
fn systemd_accepts_the_units_and_scores_them_low() {
    let Some(analyze) = tool("systemd-analyze") else { return };
    let folder = tempfile::tempdir().expect("a folder");
    // `verify` wants the program to exist; the built one stands in for the installed one.
    let service = replaced(
        &text("deploy/imbot.service"),
        "/usr/local/bin/imbot",
        env!("CARGO_BIN_EXE_imbot"),
    );
    let units = [
        ("imbot.service", service),
        ("imbot.socket", text("deploy/imbot.socket")),
    ]
    .map(|(name, unit)| {
        let path = folder.path().join(name);
        fs::write(&path, unit).expect("a unit file");
        path
    });
    let said = must(
        Command::new(&analyze)
            .args(["verify", "--man=no", "--recursive-errors=no"])
            .args(&units),
    );
    // Unknown keys are only warnings to systemd, about units of the machine and ours alike; ours must have none.
    let ours: Vec<_> = said
        .lines()
        .filter(|line| line.contains(folder.path().to_str().expect("a plain path")))
        .collect();
    assert!(ours.is_empty(), "{ours:#?}");
    let (low, said) = run(Command::new(&analyze)
        .args(["security", "--offline=true", "--no-pager", EXPOSURE_AT_MOST])
        .arg(&units[0]));
    assert!(low, "{said}");
}

#[test]
fn the_unit_and_the_server_agree_on_what_is_said() {
    let service = text("deploy/imbot.service");
    for line in [
        "Type=notify",
        "NotifyAccess=main",
        "WatchdogSec=30",
        "ExecReload=/bin/kill -HUP $MAINPID",
    ] {
        assert!(
            service.lines().any(|present| present == line),
            "imbot.service lacks {line}"
        );
    }
}

#[test]
fn the_dashboard_is_json_with_panels_that_ask_one_job() {
    let dashboard: serde_json::Value = serde_json::from_str(&text("deploy/grafana/imbot.json")).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let queries: Vec<&str> = panels
        .iter()
        .flat_map(|panel| panel["targets"].as_array().into_iter().flatten())
        .map(|target| target["expr"].as_str().expect("a query"))
        .collect();
    assert!(queries.len() > 20);
    assert!(
        queries.iter().all(|query| query.contains("job=\"$job\"")),
        "{queries:#?}"
    );
    let wanted = metrics_in(&queries.join(" "));
    let missing: Vec<_> = wanted
        .difference(&metrics_in(&text("src/telemetry.rs")))
        .cloned()
        .collect();
    assert!(missing.is_empty(), "no such metrics: {missing:?}");
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        assert!(
            panel["description"].as_str().is_some_and(|words| words.len() > 20),
            "{}",
            panel["title"]
        );
    }
}

#[test]
fn the_socket_hands_over_what_the_server_takes() {
    let socket = text("deploy/imbot.socket");
    for line in [
        "ListenStream=127.0.0.1:8080",
        "FileDescriptorName=public",
        "Backlog=4096",
        "NoDelay=yes",
    ] {
        assert!(
            socket.lines().any(|present| present == line),
            "imbot.socket lacks {line}"
        );
    }
    assert!(
        text("deploy/imbot.service")
            .lines()
            .any(|line| line == "Requires=imbot.socket")
    );
}

#[test]
fn the_image_runs_unprivileged_without_a_shell_and_without_secrets() {
    let dockerfile = text("deploy/Dockerfile");
    let lines: Vec<&str> = dockerfile
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with('#'))
        .collect();
    let stage = lines
        .iter()
        .rposition(|line| line.starts_with("FROM "))
        .expect("a FROM");
    let last = &lines[stage..];
    assert!(
        last[0].contains("gcr.io/distroless/"),
        "the last stage starts from {}",
        last[0]
    );
    for wanted in ["USER 65532:65532", "STOPSIGNAL SIGTERM"] {
        assert!(last.contains(&wanted), "the last stage lacks {wanted}");
    }
    // Only the list form works without a shell.
    assert!(
        last.iter()
            .any(|line| line.starts_with("HEALTHCHECK ") && line.contains(r#"CMD ["/usr/local/bin/imbot", "health"]"#))
    );
    assert!(last.iter().any(|line| line.starts_with("ENTRYPOINT [")));
    assert!(
        !last.iter().any(|line| line.starts_with("RUN ")),
        "there is no shell to RUN with"
    );
    assert!(dockerfile.contains("--locked"));
    for word in ["TOKEN", "SECRET", "PASSWORD", "WEBHOOK"] {
        let named = lines
            .iter()
            .find(|line| (line.starts_with("ENV") || line.starts_with("ARG")) && line.to_uppercase().contains(word));
        assert_eq!(named, None, "an image is readable by who pulls it");
    }
    let ignored = text(".dockerignore");
    assert!(
        ignored.lines().any(|line| line == "*"),
        "the build context is a list of what is let in, not of what is kept out"
    );
}

#[test]
fn compose_locks_every_container_down_and_publishes_no_admin_port() {
    let compose = yaml("deploy/compose.yaml");
    let services = compose["services"].as_mapping().expect("services");
    assert!(services.contains_key("imbot"));
    for (name, service) in services {
        assert_eq!(service["read_only"], Value::Bool(true), "{name:?}");
        assert_eq!(service["cap_drop"][0].as_str(), Some("ALL"), "{name:?}");
        assert_eq!(
            service["security_opt"][0].as_str(),
            Some("no-new-privileges:true"),
            "{name:?}"
        );
        assert!(
            service["mem_limit"].is_string() && service["pids_limit"].is_number(),
            "{name:?}"
        );
        for port in service["ports"].as_sequence().into_iter().flatten() {
            let port = port.as_str().expect("a port in quotes");
            assert!(
                port.starts_with("127.0.0.1:") && !port.contains("9090"),
                "{name:?} publishes {port}"
            );
        }
    }
    let imbot = &services["imbot"];
    assert_eq!(imbot["user"].as_str(), Some("65532:65532"));
    assert_eq!(imbot["mem_limit"].as_str(), Some("256m"));
    let grafana = &services["grafana"];
    let mounted = serde_norway::to_string(&grafana["volumes"]).expect("YAML");
    for file in ["grafana/provisioning", "grafana/imbot.json"] {
        assert!(mounted.contains(&format!("./{file}:")), "{file} is not mounted");
        assert!(root().join("deploy").join(file).exists(), "no {file}");
    }
    let provisioned = yaml("deploy/grafana/provisioning/dashboards/imbot.yml");
    let path = provisioned["providers"][0]["options"]["path"]
        .as_str()
        .expect("a folder");
    assert!(mounted.contains(&format!(":{path}/imbot.json:ro")));
    // Secrets come as files: the environment of a container is shown by `inspect`.
    assert!(imbot["environment"].is_null(), "no environment, least of all secrets");
    assert!(
        imbot["secrets"]
            .as_sequence()
            .is_some_and(|secrets| !secrets.is_empty())
    );
}

/// Every `imbot_…` name in `text`, without the suffix of a histogram's series.
fn metrics_in(text: &str) -> BTreeSet<String> {
    text.split(|sign: char| !(sign.is_ascii_alphanumeric() || sign == '_'))
        .filter(|word| word.starts_with("imbot_"))
        .map(|word| {
            ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|end| word.strip_suffix(end))
                .unwrap_or(word)
                .to_owned()
        })
        .collect()
}

#[test]
fn the_alarms_use_metrics_that_the_server_has() {
    let expressions: String = text("deploy/prometheus.rules.yml")
        .lines()
        .filter(|line| line.contains("expr:"))
        .collect();
    let wanted = metrics_in(&expressions);
    assert!(wanted.len() > 5, "{wanted:?}");
    let missing: Vec<_> = wanted
        .difference(&metrics_in(&text("src/telemetry.rs")))
        .cloned()
        .collect();
    assert!(missing.is_empty(), "no such metrics: {missing:?}");
}

//! deploy/helm/imbot, rendered by the few words of the template language that it uses: what comes out is YAML that locks the
//! pod down, runs one process on one volume, and holds a configuration that imbot accepts. Not Helm itself.

use crate::server::{IMBOT, bare};
use crate::support::{replaced, root, text};
use serde_norway::Value;
use std::fs;

const CHART: &str = "deploy/helm/imbot";

fn yaml(text: &str) -> Value {
    serde_norway::from_str(text).unwrap_or_else(|error| panic!("{error}:\n{text}"))
}

/// `.Values.a.b` or `.Release.Name`.
fn looked_up(path: &str, values: &Value) -> Value {
    if path == ".Release.Name" {
        return Value::String("bots".to_owned());
    }
    let path = path
        .strip_prefix(".Values.")
        .unwrap_or_else(|| panic!("the chart uses {path}, which this test cannot render"));
    let found = path.split('.').fold(values, |value, key| &value[key]);
    assert!(!found.is_null(), "values.yaml lacks {path}");
    found.clone()
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => serde_norway::to_string(other).expect("YAML").trim_end().to_owned(),
    }
}

fn expression(words: &str, values: &Value) -> String {
    let mut pipe = words.split('|').map(str::trim);
    let mut value = plain(&looked_up(pipe.next().expect("a value"), values));
    for step in pipe {
        value = match step.split_once(' ') {
            None if step == "quote" => format!("{value:?}"),
            None if step == "toYaml" => value,
            Some(("indent", by)) => {
                let by = " ".repeat(by.parse().expect("a number"));
                value
                    .trim_end()
                    .lines()
                    .map(|line| format!("{by}{line}\n"))
                    .collect::<String>()
                    .trim_end()
                    .to_owned()
            }
            _ => panic!("the chart uses {step}, which this test cannot render"),
        };
    }
    value
}

fn rendered(file: &str, values: &Value) -> String {
    let template = text(&format!("{CHART}/templates/{file}"));
    let (mut out, mut kept) = (String::new(), vec![true]);
    for line in template.lines() {
        if let Some(condition) = line.strip_prefix("{{- if ").and_then(|rest| rest.strip_suffix(" }}")) {
            let value = looked_up(condition, values);
            kept.push(value != Value::Bool(false) && value != Value::String(String::new()));
        } else if line == "{{- end }}" {
            kept.pop();
        } else if kept.iter().all(|kept| *kept) {
            let mut rest = line;
            while let Some((before, after)) = rest.split_once("{{ ") {
                let (words, after) = after.split_once(" }}").expect("a closed expression");
                out.push_str(before);
                out.push_str(&expression(words, values));
                rest = after;
            }
            out.push_str(rest);
            out.push('\n');
        }
    }
    assert_eq!(kept.len(), 1, "{file}: every if has its end");
    out
}

#[test]
fn the_pod_is_alone_on_its_volume_locked_down_and_probed() {
    let values = yaml(&text(&format!("{CHART}/values.yaml")));
    let set = yaml(&rendered("statefulset.yaml", &values));
    assert_eq!(set["kind"].as_str(), Some("StatefulSet"));
    let spec = &set["spec"];
    assert_eq!(spec["replicas"].as_u64(), Some(1));
    assert_eq!(
        spec["volumeClaimTemplates"][0]["spec"]["accessModes"][0].as_str(),
        Some("ReadWriteOnce")
    );
    let pod = &spec["template"]["spec"];
    assert_eq!(pod["automountServiceAccountToken"].as_bool(), Some(false));
    assert_eq!(pod["securityContext"]["runAsNonRoot"].as_bool(), Some(true));
    assert!(
        pod["terminationGracePeriodSeconds"].as_u64() > Some(25),
        "longer than the drain"
    );
    let container = &pod["containers"][0];
    assert_eq!(container["image"].as_str(), Some("registry.example.com/imbot:0.1.0"));
    let context = &container["securityContext"];
    assert_eq!(context["readOnlyRootFilesystem"].as_bool(), Some(true));
    assert_eq!(context["allowPrivilegeEscalation"].as_bool(), Some(false));
    assert_eq!(context["capabilities"]["drop"][0].as_str(), Some("ALL"));
    for (probe, path) in [
        ("startupProbe", "/readyz"),
        ("readinessProbe", "/readyz"),
        ("livenessProbe", "/healthz"),
    ] {
        assert_eq!(container[probe]["httpGet"]["path"].as_str(), Some(path), "{probe}");
    }
    let named = container["env"].as_sequence().expect("variables").iter();
    let named: Vec<_> = named
        .map(|variable| variable["name"].as_str().expect("a name"))
        .collect();
    assert!(
        named
            .iter()
            .all(|name| !name.contains("TOKEN") && !name.contains("SECRET")),
        "{named:?}"
    );
    assert!(
        container["volumeMounts"]
            .as_sequence()
            .is_some_and(|mounts| mounts.len() == 3)
    );
}

#[test]
fn only_the_ingress_and_prometheus_come_in_and_the_metadata_address_is_out_of_reach() {
    let values = yaml(&text(&format!("{CHART}/values.yaml")));
    let policy = yaml(&rendered("networkpolicy.yaml", &values));
    let spec = &policy["spec"];
    assert_eq!(spec["policyTypes"].as_sequence().map(Vec::len), Some(2));
    assert_eq!(spec["ingress"].as_sequence().map(Vec::len), Some(2));
    let out = &spec["egress"][1];
    let except = out["to"][0]["ipBlock"]["except"].as_sequence().expect("exceptions");
    assert!(except.iter().any(|range| range.as_str() == Some("169.254.0.0/16")));
    assert_eq!(out["ports"][0]["port"].as_u64(), Some(443));
    let ingress = yaml(&rendered("ingress.yaml", &values));
    let path = &ingress["spec"]["rules"][0]["http"]["paths"][0];
    assert_eq!(
        (path["path"].as_str(), path["pathType"].as_str()),
        (Some("/webhook"), Some("Exact"))
    );
    let service = yaml(&rendered("service.yaml", &values));
    assert_eq!(
        service["spec"]["selector"],
        policy["spec"]["podSelector"]["matchLabels"]
    );
    let without = yaml(&text(&format!("{CHART}/values.yaml")).replace("enabled: true", "enabled: false"));
    assert_eq!(rendered("ingress.yaml", &without).trim(), "");
}

#[test]
fn the_configuration_in_the_chart_is_one_that_imbot_takes() {
    let values = yaml(&text(&format!("{CHART}/values.yaml")));
    let map = yaml(&rendered("configmap.yaml", &values));
    let config = map["data"]["imbot.toml"].as_str().expect("the configuration");
    let folder = tempfile::tempdir().expect("a folder");
    for (name, secret) in [
        ("acme_webhook", "https://acme.bitrix24.com/rest/1/abcdefgh12345678/"),
        ("acme_bot_token", "0123456789abcdef0123456789abcdef01234567"),
        ("admin_token", "0123456789abcdef0123456789abcdef"),
    ] {
        fs::write(folder.path().join(name), secret).expect("a secret");
    }
    let config = replaced(
        config,
        "/run/secrets/imbot",
        folder.path().to_str().expect("a plain path"),
    );
    let file = folder.path().join("imbot.toml");
    fs::write(&file, config).expect("a configuration");
    let mut command = bare(IMBOT);
    let set = yaml(&rendered("statefulset.yaml", &values));
    for variable in set["spec"]["template"]["spec"]["containers"][0]["env"]
        .as_sequence()
        .expect("variables")
    {
        let (name, value) = (variable["name"].as_str().expect("a name"), plain(&variable["value"]));
        if name != "IMBOT_CONFIG" {
            command.env(name, value);
        }
    }
    let checked = command
        .args(["config", "check", "--config"])
        .arg(&file)
        .output()
        .expect("it runs");
    assert!(checked.status.success(), "{checked:?}");
}

#[test]
fn the_chart_is_of_the_version_of_the_program() {
    let chart = yaml(&text(&format!("{CHART}/Chart.yaml")));
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(chart["appVersion"].as_str(), Some(version));
    assert!(root().join(CHART).join("templates").is_dir());
}

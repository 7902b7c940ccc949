//! The simulated terminals on a thread of their own, and the configuration that leads to them.

use std::fmt::Write;
use std::path::Path;
use std::sync::mpsc;
use std::thread::JoinHandle;

use quittance::sim::{Bank, Depot, SimConfig, SimHandle, Snapshot};
use sha2::{Digest, Sha256};
use tokio::runtime::{self, Handle};
use tokio::sync::oneshot;

use super::{Builder, LIMIT};

/// Terminals and their bank, until this is dropped.
pub(super) struct Site {
    pub(super) bank: Bank,
    places: Vec<Place>,
    runtime: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

struct Place {
    handle: SimHandle,
    link: String,
    serial_number: String,
}

impl Site {
    pub(super) fn open(builder: &Builder, folder: &Path) -> Self {
        let apollos = (1..=builder.apollos).map(|number| SimConfig::apollo(format!("apollo-{number}").parse().unwrap()));
        let p6xs = (1..=builder.p6xs).map(|number| {
            let name = format!("p6x-{number}");
            let path = folder.join(&name);
            SimConfig::p6x(name.parse().unwrap(), path)
        });
        let apollos = apollos.map(|config| (config, "{ tcp = \"ADDRESS\" }".to_owned()));
        let p6xs = p6xs.map(|config| (config, "{ serial = \"ADDRESS\" }".to_owned()));
        let all = apollos.chain(p6xs).chain(builder.others.iter().cloned());
        let (configs, links): (Vec<SimConfig>, Vec<String>) = all.unzip();
        let serial_numbers: Vec<String> = configs.iter().map(|config| config.serial_number.clone()).collect();
        let (opened, open) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let depot = Depot::start(configs).await.unwrap();
                let places = depot.terminals().map(|handle| (handle.clone(), depot.address(handle.id()).unwrap().to_owned()));
                opened.send((depot.bank().clone(), places.collect::<Vec<_>>(), Handle::current())).unwrap();
                // Ends likewise when the rig goes without a word.
                let _ = stopped.await;
            });
        });
        let (bank, places, runtime) = open.recv().unwrap();
        let places = places.into_iter().zip(links).zip(serial_numbers);
        let places = places.map(|(((handle, address), link), serial_number)| Place {
            handle,
            link: link.replace("ADDRESS", &address),
            serial_number,
        });
        let places = places.collect();
        Self { bank, places, runtime, stop: Some(stop), thread: Some(thread) }
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.places.iter().map(|place| place.handle.id().to_string()).collect()
    }

    pub(super) fn terminal(&self, name: &str) -> &SimHandle {
        let place = self.places.iter().find(|place| place.handle.id().as_str() == name);
        &place.unwrap_or_else(|| panic!("no terminal is called {name}")).handle
    }

    pub(super) fn wait(&self, terminal: &SimHandle, what: &str, enough: impl FnMut(&Snapshot) -> bool) -> Snapshot {
        let waited = self.runtime.block_on(async { tokio::time::timeout(LIMIT, terminal.wait_for(enough)).await });
        waited.unwrap_or_else(|_| panic!("{} never {what}: {:?}", terminal.id(), terminal.snapshot()))
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A thread that has panicked has said so itself.
            let _ = thread.join();
        }
    }
}

/// The configuration of a rig.
pub(super) fn config(builder: &Builder, site: &Site, journal: &Path, folder: &Path) -> String {
    let mut text = String::from("[site]\nid = \"rig\"\ncurrency = \"EUR\"\n\n");
    write!(text, "[log]\nfilter = \"{}\"\n\n[api]\n", builder.log).unwrap();
    if !builder.api.iter().any(|(key, _)| key == "listen") {
        text.push_str("listen = \"127.0.0.1:0\"\n");
    }
    let admins = [("rig", builder.token), ("second", builder.second_token)];
    let admins: Vec<_> = admins.into_iter().filter_map(|(name, token)| token.map(|token| (name, "admin", token))).collect();
    let others = builder.bearers.iter().map(|(role, token)| (*token, *role, *token));
    let tokens = admins.iter().copied().chain(others).map(|(name, role, token)| {
        let digest: String = Sha256::digest(token).iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{{ name = \"{name}\", role = \"{role}\", sha256 = \"{digest}\" }}")
    });
    let tokens: Vec<String> = tokens.collect();
    if !tokens.is_empty() {
        write!(text, "tokens = [{}]\nresolve_requires_two = {}\n", tokens.join(", "), admins.len() > 1).unwrap();
    }
    if let Some((files, _)) = &builder.api_tls {
        let (cert, key) = (files.cert.display(), files.key.display());
        writeln!(text, "tls = {{ cert = \"{cert}\", key = \"{key}\" }}").unwrap();
    }
    builder.api.iter().for_each(|(key, value)| writeln!(text, "{key} = {value}").unwrap());
    // A machine that other tests share is slow now and then.
    write!(text, "\n[journal]\npath = \"{}\"\nslow_after = \"1h\"\n", journal.display()).unwrap();
    if let Some((recordings, cards)) = &builder.recorder {
        let recordings = folder.join(recordings);
        write!(text, "\n[recorder]\nfolder = \"{}\"\nsize = \"1MiB\"\ncards = \"{cards}\"\n", recordings.display()).unwrap();
    }
    table(&mut text, "[policy]", &builder.policy);
    table(&mut text, "[supervision]", &builder.supervision);
    let timeouts: Vec<String> = builder.timeouts.iter().map(|(key, value)| format!("{key} = {value}")).collect();
    for Place { handle, link, serial_number } in &site.places {
        write!(text, "\n[[terminals]]\nid = \"{}\"\nfamily = \"{}\"\n", handle.id(), handle.family().as_str()).unwrap();
        write!(text, "link = {link}\nconnectors = {}\n", builder.connectors).unwrap();
        writeln!(text, "timeouts = {{ {} }}", timeouts.join(", ")).unwrap();
        for (key, value) in &builder.terminal {
            writeln!(text, "{key} = {value}").unwrap();
        }
        if builder.serial_numbers {
            writeln!(text, "serial_number = \"{serial_number}\"").unwrap();
        }
    }
    text
}

fn table(text: &mut String, head: &str, keys: &[(String, String)]) {
    write!(text, "\n{head}\n").unwrap();
    for (key, value) in keys {
        writeln!(text, "{key} = {value}").unwrap();
    }
}

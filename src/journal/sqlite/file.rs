//! The file: opening it, what is in it, and the lock that keeps a second orchestrator out.

use std::fs;
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::super::row::{Columns, Head, Row};
use super::super::verify::Chain;
use super::log::{self, Rest};
use super::{Cut, Found, JournalError, Opened, Options};

/// "QTNC": how a journal is told from other SQLite files.
const APPLICATION_ID: i32 = 0x5154_4E43;

/// The format that this program writes, and the latest that it understands.
const FORMAT: i32 = 1;

/// No SQLite file with anything in it is shorter.
const PAGE_MIN: u64 = 512;

/// A reader may hold a lock of SQLite's for a moment, never long.
const BUSY: Duration = Duration::from_secs(5);

/// All columns of a record, in the order of [`row_of`].
pub(in crate::journal) const COLUMNS: &str = "seq, at, terminal, session, kind, body, hash";

const SCHEMA: &str = "
CREATE TABLE record (
    seq      INTEGER PRIMARY KEY,
    at       TEXT NOT NULL,
    terminal TEXT,
    session  TEXT,
    kind     TEXT NOT NULL,
    body     TEXT NOT NULL,
    hash     TEXT NOT NULL
) STRICT;
CREATE INDEX record_session ON record (session, seq) WHERE session IS NOT NULL;
CREATE INDEX record_terminal_session ON record (terminal, session) WHERE session IS NOT NULL;
CREATE INDEX record_reconciled ON record (seq) WHERE kind = 'reconciled';
CREATE INDEX record_terminal_reconciled ON record (terminal, seq) WHERE kind = 'reconciled';
-- Records that were torn when the journal was opened: taken out of the chain, kept for a person to look at.
CREATE TABLE cut (
    id       INTEGER PRIMARY KEY,
    why      TEXT NOT NULL,
    seq      INTEGER NOT NULL,
    at       TEXT,
    terminal TEXT,
    session  TEXT,
    kind     TEXT,
    body     TEXT,
    hash     TEXT
) STRICT;
CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value ANY
) STRICT;
INSERT INTO meta VALUES
    ('format', '1'),
    ('hash', 'lower case hex of SHA-256 of: hash of the record before, seq, at, terminal, session, kind, body, each but the \
last followed by a line feed; null is empty text; before the first record: 64 zeros');
";

/// A journal's file, locked for us. The locks die with the process.
pub(super) struct File {
    path: PathBuf,
    /// The file beside it that names us.
    _lock: fs::File,
    /// The journal itself, whatever other names it has, and even if somebody takes the lock's file for a leftover. Closed after every
    /// connection: to close it earlier would drop the locks that SQLite holds.
    _own: fs::File,
}

impl File {
    /// Locks the file, opens it, checks all of it, and cuts off a torn end.
    pub(super) fn open(path: &Path, options: &Options) -> Result<(Self, Found), JournalError> {
        let path = resolve(path)?;
        let lock = lock(&path)?;
        let created = is_new(&path)?;
        let own = hold(&path)?;
        let file = Self { path, _lock: lock, _own: own };
        let log = with_suffix(&file.path, "-wal");
        let rest = log::rest(&log).map_err(|error| JournalError::Unreadable(format!("{}: {error}", log.display())))?;
        let connection = file.connect(options)?;
        let mut found = file.check(&connection, created)?;
        match rest {
            Rest::Nothing => {}
            Rest::Torn => {
                found.opened.cut.push(Cut { seq: None, why: "an append was not finished (write-ahead log)".to_owned() })
            }
            Rest::Lost => {
                let why = format!("records behind {} are lost: the write-ahead log was damaged", found.head.seq);
                found.opened.damage.get_or_insert(why);
                found.opened.end_lost = true;
            }
        }
        Ok((file, found))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// A connection that writes durably, or an error.
    pub(super) fn connect(&self, options: &Options) -> Result<Connection, JournalError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags).map_err(|error| self.unwritable(&error))?;
        connection.busy_timeout(BUSY).map_err(|error| self.unwritable(&error))?;
        let empty = identify(&self.path, &connection)?;
        self.configure(&connection, options).map_err(|error| self.unwritable(&error))?;
        self.assert_durable(&connection)?;
        if empty {
            self.create(&connection).map_err(|error| self.unwritable(&error))?;
        }
        Ok(connection)
    }

    /// Makes sure that no recovery finds what the log holds behind its last transaction, even if it looks whole: SQLite leaves
    /// it there when the sync failed.
    pub(super) fn fence(&self, connection: &Connection) -> Result<(), String> {
        let number = |sql: &str, column: usize| connection.query_row(sql, [], |row| row.get::<_, i64>(column));
        let frames = number("PRAGMA wal_checkpoint(NOOP)", 1).map_err(|error| error.to_string())?;
        let page = number("PRAGMA page_size", 0).map_err(|error| error.to_string())?;
        match (u64::try_from(frames), u64::try_from(page)) {
            (Ok(frames), Ok(page)) => {
                log::cut(&with_suffix(&self.path, "-wal"), frames, page).map_err(|error| error.to_string())
            }
            _ => Err("the write-ahead log is not in use".to_owned()),
        }
    }

    /// Reads every record, as when the file was opened, and says what is damaged.
    pub(super) fn damage(&self, connection: &Connection) -> Option<String> {
        damage_of(&follow(connection), connection)
    }

    fn configure(&self, connection: &Connection, options: &Options) -> rusqlite::Result<()> {
        connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
        connection.execute_batch("PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF;")?;
        connection.execute_batch("PRAGMA cell_size_check = ON; PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON;")?;
        limit_pages(connection, options)
    }

    /// Reads the pragmas back: SQLite ignores what it cannot do.
    fn assert_durable(&self, connection: &Connection) -> Result<(), JournalError> {
        let mode: String =
            connection.query_row("PRAGMA journal_mode", [], |row| row.get(0)).map_err(|error| self.unwritable(&error))?;
        let synchronous: i64 =
            connection.query_row("PRAGMA synchronous", [], |row| row.get(0)).map_err(|error| self.unwritable(&error))?;
        if mode == "wal" && synchronous == 2 {
            Ok(())
        } else {
            Err(JournalError::Unwritable(format!(
                "{} cannot be made durable: journal_mode is {mode} and synchronous is {synchronous}, needed are wal and 2",
                self.path.display()
            )))
        }
    }

    fn create(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection.execute_batch(&format!(
            "BEGIN IMMEDIATE; {SCHEMA} PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {FORMAT}; COMMIT;"
        ))?;
        // The tables go into the file itself, so that it is never empty beside a log that holds records.
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        if let Some(directory) = self.path.parent() {
            let synced = fs::File::open(directory).and_then(|directory| directory.sync_all());
            synced.map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
        }
        Ok(())
    }

    /// Reads every record, and cuts off the torn ones at the end.
    fn check(&self, connection: &Connection, created: bool) -> Result<Found, JournalError> {
        let mut chain = follow(connection);
        let torn = chain.torn_end();
        let cut = torn.iter().map(|(seq, why)| Cut { seq: Some(*seq), why: why.clone() }).collect();
        if !torn.is_empty() {
            self.cut(connection, &torn).map_err(|error| self.unwritable(&error))?;
            chain.forget_torn_end();
        }
        let head = head(connection).map_err(|error| JournalError::Unreadable(format!("{}: {error}", self.path.display())))?;
        let damage = damage_of(&chain, connection);
        let opened = Opened { created, last: head.seq, cut, damage, end_lost: !torn.is_empty() };
        Ok(Found { opened, head, damaged: chain.damaged() })
    }

    fn cut(&self, connection: &Connection, torn: &[(u64, String)]) -> rusqlite::Result<()> {
        let transaction = connection.unchecked_transaction()?;
        for (seq, why) in torn {
            transaction.execute(
                &format!("INSERT INTO cut (why, {COLUMNS}) SELECT ?2, {COLUMNS} FROM record WHERE seq = ?1"),
                (to_sql(*seq), why),
            )?;
            transaction.execute("DELETE FROM record WHERE seq = ?1", [to_sql(*seq)])?;
        }
        transaction.commit()
    }

    fn unwritable(&self, error: &rusqlite::Error) -> JournalError {
        if error.sqlite_error_code() == Some(rusqlite::ErrorCode::NotADatabase) {
            return foreign(&self.path, "it is not a SQLite file");
        }
        JournalError::Unwritable(format!("{}: {error}", self.path.display()))
    }
}

/// Every record after the one before it.
fn follow(connection: &Connection) -> Chain {
    let mut chain = Chain::default();
    let scanned = scan(connection, 0, |row| {
        // Only where it stands matters here; what it says is read again when it is needed.
        let _ = chain.follow(row);
        true
    });
    if let Err(error) = scanned {
        chain.unreadable(&error.to_string());
    }
    chain
}

fn damage_of(chain: &Chain, connection: &Connection) -> Option<String> {
    chain.first_damage().map(|(seq, why)| format!("record {seq}: {why}")).or_else(|| integrity(connection))
}

fn is_new(path: &Path) -> Result<bool, JournalError> {
    let missing = match fs::metadata(path) {
        Ok(metadata) => metadata.len() == 0,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => true,
        Err(error) => return Err(JournalError::Unreadable(format!("{}: {error}", path.display()))),
    };
    let log = with_suffix(path, "-wal");
    // SQLite would throw the log away, and with it the records that are only there.
    if missing && fs::metadata(&log).is_ok_and(|metadata| metadata.len() > 0) {
        return Err(JournalError::Unreadable(format!(
            "{} is missing or empty, but its write-ahead log {} is there: put the file back, or move the log away",
            path.display(),
            log.display()
        )));
    }
    Ok(missing)
}

/// A connection that cannot write. The file must be there.
pub(in crate::journal) fn connect_readonly(path: &Path) -> Result<Connection, JournalError> {
    let unreadable = |why: &dyn std::fmt::Display| JournalError::Unreadable(format!("{}: {why}", path.display()));
    if let Err(error) = fs::metadata(path) {
        return Err(unreadable(&error));
    }
    // An empty file has a reader throw its log away, too.
    is_new(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|error| unreadable(&error))?;
    connection.busy_timeout(BUSY).map_err(|error| unreadable(&error))?;
    if identify(path, &connection)? {
        return Err(foreign(path, "it is empty"));
    }
    Ok(connection)
}

/// Whether there is nothing in the file yet; an error when there is something else than a journal.
fn identify(path: &Path, connection: &Connection) -> Result<bool, JournalError> {
    // SQLite reads the first page itself and takes a file of a few bytes for an empty one. We look at the length only: to
    // open and close the file past SQLite would drop the locks that it holds for this process's other connections.
    if fs::metadata(path).is_ok_and(|metadata| (1..PAGE_MIN).contains(&metadata.len())) {
        return Err(foreign(path, "it is not a SQLite file"));
    }
    let number = |pragma: &str| {
        connection.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get::<_, i64>(0)).map_err(|error| {
            if error.sqlite_error_code() == Some(rusqlite::ErrorCode::NotADatabase) {
                foreign(path, "it is not a SQLite file")
            } else {
                JournalError::Unreadable(format!("{}: {error}", path.display()))
            }
        })
    };
    let (application, format) = (number("application_id")?, number("user_version")?);
    if application == 0 && format == 0 && number("page_count")? <= 1 && tables(connection) == 0 {
        return Ok(true);
    }
    if application != i64::from(APPLICATION_ID) {
        return Err(foreign(path, &format!("it is the SQLite file of another program (application id {application:#x})")));
    }
    if format != i64::from(FORMAT) {
        return Err(foreign(path, &format!("it has format {format}, and this program knows format {FORMAT}")));
    }
    Ok(false)
}

fn tables(connection: &Connection) -> i64 {
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).unwrap_or(-1)
}

/// Applies the limit of a test.
pub(super) fn limit_pages(connection: &Connection, options: &Options) -> rusqlite::Result<()> {
    match &options.page_limit {
        Some(limit) => connection.query_row(&format!("PRAGMA max_page_count = {}", limit.get()), [], |_| Ok(())),
        None => Ok(()),
    }
}

/// The last record.
pub(super) fn head(connection: &Connection) -> rusqlite::Result<Head> {
    let mut statement = connection.prepare("SELECT seq, hash FROM record ORDER BY seq DESC LIMIT 1")?;
    let mut rows = statement.query([])?;
    match rows.next()? {
        Some(row) => Ok(Head { seq: from_sql(row.get(0)?), hash: row.get(1)? }),
        None => Ok(Head::genesis()),
    }
}

/// Hands out the records above `after`, oldest first, until `each` says no more.
pub(in crate::journal) fn scan(
    connection: &Connection,
    after: u64,
    mut each: impl FnMut(&Row) -> bool,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(&format!("SELECT {COLUMNS} FROM record WHERE seq > ?1 ORDER BY seq"))?;
    let mut rows = statement.query([to_sql(after)])?;
    while let Some(row) = rows.next()? {
        if !each(&row_of(row)?) {
            break;
        }
    }
    Ok(())
}

/// What SQLite itself finds wrong with the file.
pub(in crate::journal) fn integrity(connection: &Connection) -> Option<String> {
    match connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get::<_, String>(0)) {
        Ok(verdict) if verdict == "ok" => None,
        Ok(verdict) => Some(verdict.lines().collect::<Vec<_>>().join("; ")),
        Err(error) => Some(error.to_string()),
    }
}

/// The columns of [`COLUMNS`]. Text that is not UTF-8 is damage, and the hash will say so.
pub(in crate::journal) fn row_of(row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    let text = |index| Ok::<_, rusqlite::Error>(lossy(row.get_ref(index)?));
    Ok(Row {
        seq: from_sql(row.get(0)?),
        columns: Columns {
            at: text(1)?.unwrap_or_default(),
            terminal: text(2)?,
            session: text(3)?,
            kind: text(4)?.unwrap_or_default(),
            body: text(5)?.unwrap_or_default(),
        },
        hash: text(6)?.unwrap_or_default(),
    })
}

pub(in crate::journal) fn lossy(value: rusqlite::types::ValueRef<'_>) -> Option<String> {
    match value {
        rusqlite::types::ValueRef::Null => None,
        rusqlite::types::ValueRef::Integer(number) => Some(number.to_string()),
        rusqlite::types::ValueRef::Real(number) => Some(number.to_string()),
        rusqlite::types::ValueRef::Text(bytes) | rusqlite::types::ValueRef::Blob(bytes) => {
            Some(String::from_utf8_lossy(bytes).into_owned())
        }
    }
}

/// SQLite's integers are signed; a journal of 2^63 records is out of reach.
pub(in crate::journal) fn to_sql(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

fn from_sql(seq: i64) -> u64 {
    u64::try_from(seq).unwrap_or(0)
}

fn foreign(path: &Path, why: &str) -> JournalError {
    JournalError::Foreign { path: path.display().to_string(), why: why.to_owned() }
}

/// The path without symbolic links, so that two names of one file share a lock.
fn resolve(path: &Path) -> Result<PathBuf, JournalError> {
    let unwritable = |why: String| JournalError::Unwritable(format!("{}: {why}", path.display()));
    if let Ok(resolved) = path.canonicalize() {
        return if resolved.is_dir() { Err(unwritable("it is a directory".to_owned())) } else { Ok(resolved) };
    }
    let name = path.file_name().ok_or_else(|| unwritable("it names no file".to_owned()))?;
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let directory =
        directory.canonicalize().map_err(|error| unwritable(format!("its directory {}: {error}", directory.display())))?;
    Ok(directory.join(name))
}

/// The lock lies beside the file: SQLite has locks of its own on the file itself.
fn lock(path: &Path) -> Result<fs::File, JournalError> {
    let beside = with_suffix(path, ".lock");
    let unwritable = |error: std::io::Error| JournalError::Unwritable(format!("{}: {error}", beside.display()));
    let mut file = fs::File::options().read(true).write(true).create(true).truncate(false).open(&beside).map_err(unwritable)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(fs::TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let read = file.read_to_string(&mut holder);
            let known = read.is_ok() && !holder.trim().is_empty() && holder.trim().bytes().all(|byte| byte.is_ascii_digit());
            let holder = if known { holder.trim().to_owned() } else { "unknown".to_owned() };
            return Err(JournalError::Locked { path: path.display().to_string(), holder });
        }
        Err(fs::TryLockError::Error(error)) => return Err(unwritable(error)),
    }
    // Only a courtesy to whoever comes second; on a full disk the lock holds without it.
    let told = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| writeln!(file, "{}", std::process::id()));
    if let Err(error) = told {
        tracing::warn!(lock = %beside.display(), %error, "the lock cannot name its holder");
    }
    Ok(file)
}

/// Locks the journal itself, and makes an empty file where there is none. SQLite's own locks are of another kind and are not in the way.
fn hold(path: &Path) -> Result<fs::File, JournalError> {
    let unwritable = |error: std::io::Error| JournalError::Unwritable(format!("{}: {error}", path.display()));
    let file = fs::File::options().read(true).write(true).create(true).truncate(false).open(path).map_err(unwritable)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => {
            Err(JournalError::Locked { path: path.display().to_string(), holder: "unknown".to_owned() })
        }
        Err(fs::TryLockError::Error(error)) => Err(unwritable(error)),
    }
}

/// `journal.db` → `journal.db.lock`.
pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

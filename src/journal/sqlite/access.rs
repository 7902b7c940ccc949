//! Reading a journal's file, with or without an orchestrator that writes it.

use std::collections::BTreeSet;
use std::path::Path;

use rusqlite::{Connection, Params, ToSql};

use super::super::record::AROUND;
use super::super::row::Row;
use super::file::{COLUMNS, connect_readonly, head, integrity, lossy, row_of, to_sql};
use super::{JournalError, Record, Selection};
use crate::id::{SessionId, TerminalId};

/// A journal's file, open for reading.
pub(in crate::journal) struct Access {
    connection: Connection,
    /// Records that are not to be believed, and are left out.
    damaged: BTreeSet<u64>,
}

/// Hands all rows to `visit` as they are at this one moment.
pub(in crate::journal) fn with_rows<T>(
    path: &Path,
    visit: impl FnOnce(&mut dyn Iterator<Item = rusqlite::Result<Row>>) -> Result<T, JournalError>,
) -> Result<T, JournalError> {
    let connection = connect_readonly(path)?;
    let unreadable = |error: rusqlite::Error| JournalError::Unreadable(format!("{}: {error}", path.display()));
    let moment = connection.unchecked_transaction().map_err(unreadable)?;
    let mut statement = moment.prepare(&format!("SELECT {COLUMNS} FROM record ORDER BY seq")).map_err(unreadable)?;
    let mut rows = statement.query_map([], row_of).map_err(unreadable)?;
    visit(&mut rows)
}

/// What SQLite itself finds wrong with a file.
pub(in crate::journal) fn integrity_of(path: &Path) -> Option<String> {
    match connect_readonly(path) {
        Ok(connection) => integrity(&connection),
        Err(error) => Some(error.to_string()),
    }
}

impl Access {
    /// Opens a file that is there.
    pub(in crate::journal) fn open(path: &Path, damaged: BTreeSet<u64>) -> Result<Self, JournalError> {
        Ok(Self { connection: connect_readonly(path)?, damaged })
    }

    pub(in crate::journal) fn select(
        &self,
        of: &Selection,
        after: u64,
        until: u64,
        limit: usize,
    ) -> Result<Vec<Record>, JournalError> {
        let (terminal, session) =
            (of.terminal.as_ref().map(ToString::to_string), of.session.map(|session| session.to_string()));
        let (from, to, most) = (to_sql(after), to_sql(until), self.with_damaged(limit));
        let mut condition = "seq > ?1 AND seq <= ?2".to_owned();
        let mut values: Vec<&dyn ToSql> = vec![&from, &to, &most];
        for (column, value) in [("terminal", &terminal), ("session", &session)] {
            if value.is_some() {
                values.push(value);
                condition.push_str(&format!(" AND {column} = ?{}", values.len()));
            }
        }
        let sql = format!("SELECT {COLUMNS} FROM record WHERE {condition} ORDER BY seq LIMIT ?3");
        match self.records(&sql, values.as_slice(), limit) {
            Err(JournalError::Unreadable(_)) if !self.damaged.is_empty() => self.read_one_by_one(of, after, until, limit),
            answer => answer,
        }
    }

    pub(in crate::journal) fn session(&self, session: SessionId) -> Result<Vec<Record>, JournalError> {
        let sql = format!("SELECT {COLUMNS} FROM record WHERE session = ?1 ORDER BY seq");
        self.records(&sql, [session.to_string()], usize::MAX)
    }

    pub(in crate::journal) fn sessions(
        &self,
        terminal: Option<&TerminalId>,
        before: Option<SessionId>,
        limit: usize,
    ) -> Result<Vec<SessionId>, JournalError> {
        let terminal = terminal.map(ToString::to_string);
        // '~' sorts behind every hexadecimal digit.
        let before = before.map_or_else(|| "~".to_owned(), |before| before.to_string());
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let (condition, mut values) = ("session IS NOT NULL AND session < ?1", vec![&before as &dyn ToSql, &limit]);
        let sql = match &terminal {
            Some(terminal) => {
                values.push(terminal);
                format!(
                    "SELECT DISTINCT session FROM record WHERE {condition} AND terminal = ?3 ORDER BY session DESC LIMIT ?2"
                )
            }
            None => format!("SELECT DISTINCT session FROM record WHERE {condition} ORDER BY session DESC LIMIT ?2"),
        };
        let names = self.rows(&sql, values.as_slice(), |row| Ok(lossy(row.get_ref(0)?).unwrap_or_default()))?;
        // A name that is none is damage, which was found and told when the journal was opened.
        Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
    }

    pub(in crate::journal) fn reconciliations(
        &self,
        terminal: Option<&TerminalId>,
        limit: usize,
    ) -> Result<Vec<Record>, JournalError> {
        let most = self.with_damaged(limit);
        match terminal {
            Some(terminal) => {
                let sql = format!(
                    "SELECT {COLUMNS} FROM record WHERE kind = 'reconciled' AND terminal = ?1 ORDER BY seq DESC LIMIT ?2"
                );
                self.records(&sql, (terminal.as_str(), most), limit)
            }
            None => {
                let sql = format!("SELECT {COLUMNS} FROM record WHERE kind = 'reconciled' ORDER BY seq DESC LIMIT ?1");
                self.records(&sql, [most], limit)
            }
        }
    }

    pub(in crate::journal) fn around(&self, terminal: &TerminalId, from: u64, to: u64) -> Result<Vec<Record>, JournalError> {
        let kinds = AROUND.map(|kind| format!("'{kind}'")).join(", ");
        let sql = format!(
            "SELECT {COLUMNS} FROM record WHERE seq BETWEEN ?1 AND ?2 AND kind IN ({kinds}) AND (terminal IS NULL OR terminal = ?3) \
             ORDER BY seq"
        );
        self.records(&sql, (to_sql(from), to_sql(to), terminal.as_str()), usize::MAX)
    }

    /// So many rows hold `limit` records that can be believed.
    fn with_damaged(&self, limit: usize) -> i64 {
        i64::try_from(limit.saturating_add(self.damaged.len())).unwrap_or(i64::MAX)
    }

    fn records(&self, sql: &str, values: impl Params, limit: usize) -> Result<Vec<Record>, JournalError> {
        let rows = self.rows(sql, values, row_of)?;
        let sound = rows.into_iter().filter(|row| !self.damaged.contains(&row.seq)).take(limit);
        sound.map(|row| row.columns.decode(row.seq).map_err(|why| JournalError::Damaged { seq: row.seq, why })).collect()
    }

    fn rows<T>(
        &self,
        sql: &str,
        values: impl Params,
        read: impl Fn(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, JournalError> {
        let run = || {
            let mut statement = self.connection.prepare_cached(sql)?;
            statement.query_map(values, read)?.collect::<rusqlite::Result<Vec<T>>>()
        };
        run().map_err(|error| JournalError::Unreadable(error.to_string()))
    }

    /// A damaged page stops a scan; what lies behind it is found by its number.
    fn read_one_by_one(&self, of: &Selection, after: u64, until: u64, limit: usize) -> Result<Vec<Record>, JournalError> {
        let head = head(&self.connection).map_err(|error| JournalError::Unreadable(error.to_string()))?;
        let sql = format!("SELECT {COLUMNS} FROM record WHERE seq = ?1");
        let one = |seq: u64| self.records(&sql, [to_sql(seq)], 1).ok().and_then(|mut found| found.pop());
        let wanted = |record: &Record| of.takes(record.entry.terminal.as_ref(), record.entry.session);
        Ok((after.saturating_add(1)..=head.seq.min(until)).filter_map(one).filter(wanted).take(limit).collect())
    }
}

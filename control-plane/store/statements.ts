/** What the store says to SQLite. */

import type { DatabaseSync, StatementSync } from 'node:sqlite';

export const prepareStatements = (database: DatabaseSync): Readonly<Record<StatementName, StatementSync>> => ({
  read: database.prepare('SELECT body FROM objects WHERE kind = ? AND namespace = ? AND name = ?'),
  list: database.prepare(`SELECT body FROM objects WHERE kind = $kind
    AND ($namespace IS NULL OR namespace = $namespace) AND ($name IS NULL OR name = $name)
    AND (namespace, name) > ($afterNamespace, $afterName) ORDER BY namespace, name`),
  inNamespace: database.prepare('SELECT kind, body FROM objects WHERE namespace = ? ORDER BY kind, name'),
  put: database.prepare('INSERT OR REPLACE INTO objects (kind, namespace, name, body) VALUES (?, ?, ?, ?)'),
  remove: database.prepare('DELETE FROM objects WHERE kind = ? AND namespace = ? AND name = ?'),
  log: database.prepare(
    'INSERT INTO events (version, type, kind, namespace, name, body, labels_before) VALUES (?, ?, ?, ?, ?, ?, ?)',
  ),
  since: database.prepare(`SELECT type, kind, body, labels_before FROM events WHERE version > $from
    AND ($kind IS NULL OR kind = $kind) AND ($namespace IS NULL OR namespace = $namespace)
    AND ($name IS NULL OR name = $name) ORDER BY version`),
  bounds: database.prepare(`SELECT coalesce((SELECT min(version) FROM events), 1) AS oldest,
    coalesce((SELECT max(version) FROM events), 0) AS newest`),
  prune: database.prepare('DELETE FROM events WHERE version <= ?'),
});

type StatementName = 'read' | 'list' | 'inNamespace' | 'put' | 'remove' | 'log' | 'since' | 'bounds' | 'prune';

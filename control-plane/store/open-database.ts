/** The store's file: opened for one process, durable, with its tables. */

import { closeSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { StoreError } from './resource-store.ts';

/** Of the tables below; in SQLite's `user_version`. */
const FORMAT = 1;

/**
 * Opens (or makes, mode 0600) the database. WAL with `synchronous = FULL`: what was committed survives the end of the
 * process and of the machine. The lock is exclusive: a second control plane on the same file would break the one order of writes.
 * @param path `:memory:` for one that is gone with the process.
 * @throws `unavailable` when another process has it, or a newer release made it.
 */
export const openDatabase = (path: string): DatabaseSync => {
  if (path !== ':memory:') closeSync(openSync(path, 'a', 0o600));
  const database = new DatabaseSync(path, { timeout: 500 });
  try {
    database.exec(`
      PRAGMA locking_mode = EXCLUSIVE;
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = FULL;
      PRAGMA journal_size_limit = 16777216;
    `);
    const format = (database.prepare('PRAGMA user_version').get() as { user_version: number }).user_version;
    if (format > FORMAT)
      throw new StoreError(
        'unavailable',
        `${path} was made by a newer release: its format is ${format}, this release knows ${FORMAT}`,
      );
    database.exec(`
      BEGIN IMMEDIATE;
      CREATE TABLE IF NOT EXISTS objects (
        kind TEXT, namespace TEXT, name TEXT, body TEXT NOT NULL,
        PRIMARY KEY (kind, namespace, name)
      ) WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS events (
        version INTEGER PRIMARY KEY, type TEXT NOT NULL, kind TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
        body TEXT NOT NULL, labels_before TEXT
      );
      PRAGMA user_version = ${FORMAT};
      COMMIT;
    `);
    return database;
  } catch (error) {
    database.close();
    if (error instanceof StoreError) throw error;
    const why = /locked|busy/.test(String(error)) ? 'another control plane uses it' : String(error);
    throw new StoreError('unavailable', `cannot open ${path}: ${why}`, error);
  }
};

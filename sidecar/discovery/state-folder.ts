/**
 * The folder in which a sidecar keeps what it needs to start while the control plane is away: the last good snapshot, the
 * certificate and its key. Files are 0600 in a 0700 folder and replaced atomically (written beside, synced, renamed), so
 * that a crash at any moment leaves the old file or the new one.
 */
import { constants, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** Owned by the sidecar's `main`; lives as long as the process. One instance per folder: the second one is refused. */
export class StateFolder implements Disposable {
  readonly path: string;
  readonly #lock: DatabaseSync;
  readonly #temporary: boolean;

  /**
   * `path` undefined: a private temporary folder, removed at the end, so that nothing survives a restart.
   * @throws an Error with a sentence for the user when another process holds the folder, or it cannot be made.
   */
  constructor(path: string | undefined) {
    this.#temporary = path === undefined;
    this.path = path ?? mkdtempSync(join(tmpdir(), 'outrider-'));
    mkdirSync(this.path, { recursive: true, mode: 0o700 });
    this.#lock = lockFolder(this.path);
  }

  /** The text of a file; undefined when there is none. */
  read(name: string): string | undefined {
    try {
      return readFileSync(join(this.path, name), 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** Replaces a file atomically. One write per name at a time. */
  async write(name: string, text: string): Promise<void> {
    const target = join(this.path, name);
    const temporary = `${target}.tmp`;
    // The last run may have died between writing and renaming; its leftover is not written through, it might be a link.
    await rm(temporary, { force: true });
    const file = await open(temporary, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, target);
  }

  [Symbol.dispose](): void {
    this.#lock.close();
    if (this.#temporary) rmSync(this.path, { recursive: true, force: true });
  }
}

/**
 * An SQLite file opened exclusively is a lock that the kernel gives back when the process dies. A file with a process id
 * in it would not be: two containers both have a process 1.
 */
const lockFolder = (path: string): DatabaseSync => {
  const lock = new DatabaseSync(join(path, 'lock'));
  try {
    lock.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
    return lock;
  } catch (cause) {
    lock.close();
    throw new Error(
      `The state folder ${path} is in use by another sidecar; give each instance its own (OUTRIDER_STATE_DIR).`,
      { cause },
    );
  }
};

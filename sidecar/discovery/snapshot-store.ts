/**
 * The present snapshot: one writer, swapped as a whole, kept on disk. A snapshot that does not validate changes nothing.
 * Without a control plane it serves the `snapshot.json` that someone put into the state folder, and follows the file.
 */
import { type FSWatcher, watch } from 'node:fs';
import type { BaseLogger } from 'pino';
import { SNAPSHOT_FORMAT, type Snapshot } from '../../api/snapshot.ts';
import type { SnapshotProblem } from '../../api/validate-snapshot.ts';
import type { Clock, Timer } from '../../common/clock.ts';
import { type Watch, Watched } from '../../common/watch.ts';
import type { StateFolder } from './state-folder.ts';

export const SNAPSHOT_FILE = 'snapshot.json';

/** Undefined: the value is a snapshot, and its references resolve. */
export type ValidateSnapshot = (value: unknown) => SnapshotProblem | undefined;

/** What holds before the first snapshot: no service is known. */
export const EMPTY_SNAPSHOT: Snapshot = Object.freeze({
  format: SNAPSHOT_FORMAT,
  configVersion: '',
  endpointVersion: '',
  trustDomain: '',
  outboundPolicy: 'REGISTRY_ONLY',
  services: [],
});

/** Snapshots may follow each other quickly; the file follows at this pace. */
const WRITE_INTERVAL_MS = 1_000;
/** An editor writes a file in several steps. */
const SETTLE_MS = 50;

/** Owned by the sidecar's discovery; lives as long as it. */
export class SnapshotStore implements AsyncDisposable {
  readonly #folder: StateFolder;
  readonly #validate: ValidateSnapshot;
  readonly #clock: Clock;
  readonly #log: BaseLogger;
  readonly #snapshots = new Watched<Snapshot>(EMPTY_SNAPSHOT);
  #writeTimer: Timer | undefined;
  #writing: Promise<void> = Promise.resolve();
  #watcher: FSWatcher | undefined;
  #settleTimer: Timer | undefined;

  constructor(folder: StateFolder, validate: ValidateSnapshot, clock: Clock, log: BaseLogger) {
    this.#folder = folder;
    this.#validate = validate;
    this.#clock = clock;
    this.#log = log;
  }

  get snapshots(): Watch<Snapshot> {
    return this.#snapshots;
  }

  /** False until a snapshot was loaded or applied. */
  get loaded(): boolean {
    return this.#snapshots.value !== EMPTY_SNAPSHOT;
  }

  /** Swaps to `next` and writes it to disk within a second; or says why not, and keeps the present one. */
  apply(next: Snapshot): SnapshotProblem | undefined {
    const problem = this.#swap(next);
    if (problem === undefined) this.#writeTimer ??= this.#clock.setTimer(WRITE_INTERVAL_MS, () => this.#write());
    return problem;
  }

  /** Takes the snapshot from the disk. True when there is a good one; a bad one is logged, and the present one stays. */
  load(): boolean {
    let value: unknown;
    try {
      const text = this.#folder.read(SNAPSHOT_FILE);
      if (text === undefined) return false;
      value = JSON.parse(text);
    } catch (error) {
      this.#log.error({ err: error }, `${SNAPSHOT_FILE} in the state folder cannot be read; it is not used`);
      return false;
    }
    const problem = this.#swap(value);
    if (problem !== undefined)
      this.#log.error(problem, `${SNAPSHOT_FILE} in the state folder is not a valid snapshot; it is not used`);
    return problem === undefined;
  }

  /** Without a control plane: loads the file whenever it changes. `load` on SIGHUP does the same by hand. */
  followFile(): void {
    this.#watcher ??= watch(this.#folder.path, { persistent: false }, (_event, name) => {
      if (name !== SNAPSHOT_FILE) return;
      this.#settleTimer?.cancel();
      this.#settleTimer = this.#clock.setTimer(SETTLE_MS, () => void this.load());
    });
    this.#watcher.on('error', error => this.#log.error({ err: error }, 'the state folder can no longer be watched'));
  }

  /** Resolves when the present snapshot is on disk. */
  async flush(): Promise<void> {
    if (this.#writeTimer !== undefined) {
      this.#writeTimer.cancel();
      this.#write();
    }
    await this.#writing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#watcher?.close();
    this.#settleTimer?.cancel();
    await this.flush();
  }

  #swap(value: unknown): SnapshotProblem | undefined {
    const problem = this.#validate(value);
    if (problem === undefined) this.#snapshots.set(value as Snapshot);
    return problem;
  }

  #write(): void {
    this.#writeTimer = undefined;
    // Behind the write before it; what is written is what holds when its turn comes.
    this.#writing = this.#writing
      .then(() => this.#folder.write(SNAPSHOT_FILE, JSON.stringify(this.#snapshots.value)))
      .catch((error: unknown) =>
        this.#log.error(
          { err: error },
          'the snapshot cannot be kept on disk; a restart without the control plane would not know it',
        ),
      );
  }
}

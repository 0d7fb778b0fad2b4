/** Brings changes to the sidecars that they concern, and to no other one. */

import { MultiMap } from '../translate/multi-map.ts';
import type { Translator } from '../translate/translator.ts';
import type { Touched, WorldEvent } from '../translate/world.ts';
import type { SidecarSession } from './sidecar-session.ts';

/** Sessions that are served before the event loop gets its turn. */
const SESSIONS_PER_TURN = 50;

/** Owned by the push server; lives as long as it. */
export class Publisher {
  readonly #translator: Translator;
  readonly #sessions = new Set<SidecarSession>();
  readonly #interested = new MultiMap<string, SidecarSession>();
  readonly #interests = new Map<SidecarSession, ReadonlySet<string>>();
  /** Sessions to flush, in the order in which they were woken. */
  readonly #woken = new Set<SidecarSession>();
  #scheduled = false;

  constructor(translator: Translator) {
    this.#translator = translator;
  }

  add(session: SidecarSession): void {
    this.#sessions.add(session);
  }

  remove(session: SidecarSession): void {
    this.#sessions.delete(session);
    this.#woken.delete(session);
    for (const key of this.#interests.get(session) ?? []) this.#interested.delete(key, session);
    this.#interests.delete(session);
  }

  /** Replaces what this session is interested in. */
  interested(session: SidecarSession, keys: ReadonlySet<string>): void {
    if (!this.#sessions.has(session)) return;
    const old = this.#interests.get(session) ?? new Set<string>();
    for (const key of old) if (!keys.has(key)) this.#interested.delete(key, session);
    for (const key of keys) if (!old.has(key)) this.#interested.add(key, session);
    this.#interests.set(session, keys);
  }

  /** Sessions that will be told of what has changed. */
  get woken(): ReadonlySet<SidecarSession> {
    return this.#woken;
  }

  /** Takes one event of the store. Gives what it touched. */
  apply(event: WorldEvent): Touched {
    const touched = this.#translator.apply(event);
    for (const key of touched.keys ?? []) for (const session of this.#interested.get(key)) this.#wake(session);
    if (touched.mesh || touched.services === 'all') this.wakeAll();
    else {
      for (const key of touched.services) for (const session of this.#interested.get(key)) this.#wake(session);
      for (const host of touched.hosts) for (const session of this.#interested.get(`@${host}`)) this.#wake(session);
    }
    return touched;
  }

  /** All sessions look again. */
  wakeAll(): void {
    for (const session of this.#sessions) this.#wake(session);
  }

  #wake(session: SidecarSession): void {
    this.#woken.add(session);
    if (this.#scheduled) return;
    this.#scheduled = true;
    // After the events that arrived together, so that they make one update.
    setImmediate(() => this.#serve());
  }

  #serve(): void {
    let served = 0;
    for (const session of this.#woken) {
      if (served++ === SESSIONS_PER_TURN) break;
      this.#woken.delete(session);
      session.flush();
    }
    this.#scheduled = this.#woken.size > 0;
    if (this.#scheduled) setImmediate(() => this.#serve());
  }
}

/**
 * Who is connected, as Workload and Sidecar objects in the store.
 *
 * A workload is there while its sidecar is connected and for `GONE_MS` after the connection is lost; a goodbye removes it
 * at once. After a restart of the control plane the workloads of the last run get `RETURN_MS` to come back, so that a
 * restart is not an outage.
 */
import type { BaseLogger } from 'pino';
import { SIDECAR, type Sidecar } from '../../api/sidecar.ts';
import { WORKLOAD, type Workload } from '../../api/workload.ts';
import type { Clock, Timer } from '../../common/clock.ts';
import type { SidecarSession } from '../push/sidecar-session.ts';
import type { ResourceStore } from '../store/resource-store.ts';
import { ObjectKeeper } from './object-keeper.ts';
import { registeredWorkload, sidecarName, sidecarObject } from './registered-objects.ts';

/** A lost connection may come back before anyone is told. */
export const GONE_MS = 10_000;
/** Longer than a sidecar's longest pause between tries, and a handshake. */
export const RETURN_MS = 30_000;
/** How often one sidecar's object follows what it reports. */
const SIDECAR_INTERVAL_MS = 1_000;

interface Entry {
  readonly namespace: string;
  readonly name: string;
  /** Undefined: the connection is lost. */
  session: SidecarSession | undefined;
  goodbye: boolean;
  sidecar: Sidecar | undefined;
  workload: Workload | undefined;
  gone: Timer | undefined;
}

/** Owned by the push server; lives as long as it. */
export class Registry {
  readonly #store: ResourceStore;
  readonly #clock: Clock;
  readonly #workloads: ObjectKeeper<Workload>;
  readonly #sidecars: ObjectKeeper<Sidecar>;
  readonly #entries = new Map<string, Entry>();

  constructor(store: ResourceStore, clock: Clock, log: BaseLogger) {
    this.#store = store;
    this.#clock = clock;
    this.#workloads = new ObjectKeeper(store, WORKLOAD, 0, clock, log);
    this.#sidecars = new ObjectKeeper(store, SIDECAR, SIDECAR_INTERVAL_MS, clock, log);
  }

  /** Takes over what the last run registered. */
  async start(): Promise<void> {
    const [workloads, sidecars] = await Promise.all([this.#store.list(WORKLOAD), this.#store.list(SIDECAR)]);
    for (const { metadata } of sidecars.items) this.#adopt(metadata.namespace ?? '', metadata.name);
    for (const workload of workloads.items)
      if (workload.status?.sidecar !== undefined)
        this.#adopt(workload.metadata.namespace ?? '', workload.status.sidecar).workload = {
          ...workload,
          metadata: { name: workload.metadata.name, namespace: workload.metadata.namespace ?? '' },
        };
  }

  /** A sidecar said hello. Gives the name of its objects. */
  connected(session: SidecarSession): string {
    const name = sidecarName(session);
    const { namespace } = session.peer;
    const id = `${namespace}/${name}`;
    const old = this.#entries.get(id);
    old?.gone?.cancel();
    // The same instance again, before we noticed that its connection is lost.
    if (old?.session && old.session !== session) {
      const { session: stale } = old;
      old.session = undefined;
      stale.close();
    }
    const entry: Entry = {
      namespace,
      name,
      session,
      goodbye: false,
      sidecar: undefined,
      workload: old?.workload,
      gone: undefined,
    };
    this.#entries.set(id, entry);
    this.#publish(entry, session);
    return name;
  }

  /** Something that is shown about it changed. */
  changed(session: SidecarSession): void {
    const entry = this.#entryOf(session);
    if (entry && !entry.goodbye) this.#publish(entry, session);
  }

  /** It leaves: nobody is sent to it any more. Gives the `namespace/name` of its workload, which goes; undefined when there is none. */
  left(session: SidecarSession): string | undefined {
    const entry = this.#entryOf(session);
    if (entry === undefined) return undefined;
    entry.goodbye = true;
    this.#remove(entry);
    return entry.workload === undefined ? undefined : `${entry.namespace}/${entry.name}`;
  }

  /** Its connection is over. */
  disconnected(session: SidecarSession): void {
    const entry = this.#entryOf(session);
    if (entry === undefined || entry.goodbye) return;
    entry.session = undefined;
    if (entry.sidecar?.status) {
      entry.sidecar = { ...entry.sidecar, status: { ...entry.sidecar.status, state: 'Disconnected', ready: false } };
      this.#sidecars.keep(entry.sidecar);
    }
    entry.gone = this.#clock.setTimer(GONE_MS, () => this.#remove(entry));
  }

  close(): void {
    for (const entry of this.#entries.values()) entry.gone?.cancel();
    this.#workloads.close();
    this.#sidecars.close();
  }

  #adopt(namespace: string, name: string): Entry {
    const id = `${namespace}/${name}`;
    const known = this.#entries.get(id);
    if (known) return known;
    const entry: Entry = {
      namespace,
      name,
      session: undefined,
      goodbye: false,
      sidecar: undefined,
      workload: undefined,
      gone: undefined,
    };
    entry.gone = this.#clock.setTimer(RETURN_MS, () => this.#remove(entry));
    this.#entries.set(id, entry);
    return entry;
  }

  /** An address has one sidecar: what was there and is disconnected was this one before its restart. */
  #dropPredecessors(entry: Entry, present: Workload['spec']): void {
    for (const other of this.#entries.values()) {
      const spec = other.workload?.spec;
      if (other === entry || other.session !== undefined || other.namespace !== entry.namespace) continue;
      if (spec?.address === present.address && spec.sidecarPort === present.sidecarPort) this.#remove(other);
    }
  }

  #entryOf(session: SidecarSession): Entry | undefined {
    if (session.hello === undefined) return undefined;
    const entry = this.#entries.get(`${session.peer.namespace}/${sidecarName(session)}`);
    return entry?.session === session ? entry : undefined;
  }

  #publish(entry: Entry, session: SidecarSession): void {
    entry.sidecar = sidecarObject(session, entry.name);
    this.#sidecars.keep(entry.sidecar);
    const before = entry.workload;
    entry.workload = registeredWorkload(session, entry.name, before, new Date(this.#clock.wallMs()).toISOString());
    if (entry.workload === undefined) return;
    if (before === undefined) this.#dropPredecessors(entry, entry.workload.spec);
    this.#workloads.keep(entry.workload);
  }

  #remove(entry: Entry): void {
    entry.gone?.cancel();
    // Its name may belong to a newer connection by now.
    const id = `${entry.namespace}/${entry.name}`;
    if (this.#entries.get(id) !== entry) return;
    this.#entries.delete(id);
    this.#workloads.drop(entry.namespace, entry.name);
    this.#sidecars.drop(entry.namespace, entry.name);
  }
}

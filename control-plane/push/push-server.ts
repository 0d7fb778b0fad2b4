/** Sidecars in, snapshots out: the store's objects translated, pushed and confirmed. */
import type { BaseLogger } from 'pino';
import type { Hello } from '../../api/discovery.ts';
import { KINDS } from '../../api/kinds.ts';
import type { Clock, Timer } from '../../common/clock.ts';
import { Registry } from '../registry/registry.ts';
import type { ResourceEvent, ResourceStore, Watch } from '../store/resource-store.ts';
import { RouteStatusWriter } from '../translate/route-status-writer.ts';
import { Translator } from '../translate/translator.ts';
import { Departures } from './departures.ts';
import { Publisher } from './publisher.ts';
import { type SessionOwner, type SidecarPeer, SidecarSession, type SidecarStream } from './sidecar-session.ts';

/** So long after a start sidecars may still be on their way back: they try every 5 s at least. */
const SETTLE_MS = 6_000;

export interface PushServerOptions {
  readonly store: ResourceStore;
  readonly trustDomain: string;
  readonly release: string;
  readonly clock: Clock;
  readonly log: BaseLogger;
}

/** Owned by the control plane; lives as long as it. */
export class PushServer implements SessionOwner, AsyncDisposable {
  readonly #options: PushServerOptions;
  readonly #translator: Translator;
  readonly #publisher: Publisher;
  readonly #registry: Registry;
  readonly #statuses: RouteStatusWriter;
  readonly #departures: Departures;
  readonly #sessions = new Set<SidecarSession>();
  #watch: Watch | undefined;
  #settled: Timer | undefined;

  /** Reads the store before it takes sidecars, so that nobody is told that a service is not there because it was not read yet. */
  static async start(options: PushServerOptions): Promise<PushServer> {
    const server = new PushServer(options);
    await server.#load();
    await server.#registry.start();
    server.#settle();
    return server;
  }

  private constructor(options: PushServerOptions) {
    const { store, clock, log } = options;
    this.#options = options;
    this.#translator = new Translator(options.trustDomain.toLowerCase());
    this.#publisher = new Publisher(this.#translator);
    this.#registry = new Registry(store, clock, log);
    this.#departures = new Departures(clock);
    this.#statuses = new RouteStatusWriter(store, this.#translator.world, clock, log);
  }

  get sessions(): ReadonlySet<SidecarSession> {
    return this.#sessions;
  }

  /** A sidecar's stream, whose certificate was verified. */
  accept(peer: SidecarPeer, stream: SidecarStream): SidecarSession {
    const { clock, release } = this.#options;
    const session = new SidecarSession(peer, stream, this.#translator, this, clock, release);
    this.#sessions.add(session);
    this.#publisher.add(session);
    return session;
  }

  opened(session: SidecarSession, _hello: Hello): string {
    return this.#registry.connected(session);
  }

  interested(session: SidecarSession, keys: ReadonlySet<string>): void {
    this.#publisher.interested(session, keys);
  }

  changed(session: SidecarSession): void {
    this.#registry.changed(session);
  }

  left(session: SidecarSession, confirm: boolean): void {
    const workload = this.#registry.left(session);
    if (!confirm) return;
    if (workload === undefined) session.gone();
    else this.#departures.begin(workload, session);
  }

  upToDate(session: SidecarSession): void {
    this.#departures.upToDate(session);
  }

  closed(session: SidecarSession): void {
    this.#sessions.delete(session);
    this.#publisher.remove(session);
    this.#registry.disconnected(session);
    this.#departures.upToDate(session);
  }

  /** Resolves when the status of every touched route is in the store. */
  settled(): Promise<void> {
    return this.#statuses.settled();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#settled?.cancel();
    this.#watch?.close();
    // First, so that the ends of the streams are not taken for lost sidecars.
    this.#registry.close();
    for (const session of this.#sessions) session.close();
    this.#departures.close();
    await this.#statuses.settled();
  }

  #settle(): void {
    this.#translator.settling = true;
    this.#settled = this.#options.clock.setTimer(SETTLE_MS, () => {
      this.#translator.settling = false;
      this.#publisher.wakeAll();
    });
  }

  async #load(): Promise<void> {
    const { store } = this.#options;
    // A watch from before the lists may repeat what they hold, which does no harm; it misses nothing.
    const version = store.version();
    for (const kind of KINDS) {
      const { items } = await store.list(kind);
      for (const object of items) this.#apply({ type: 'ADDED', object });
    }
    this.#watch = await store.watch({}, version, event => this.#apply(event));
  }

  #apply(event: Pick<ResourceEvent, 'type' | 'object'>): void {
    this.#statuses.touch(this.#publisher.apply(event).routes);
    const { kind, metadata } = event.object;
    if (event.type === 'DELETED' && kind === 'Workload')
      this.#departures.removed(`${metadata.namespace}/${metadata.name}`, this.#publisher.woken);
  }
}

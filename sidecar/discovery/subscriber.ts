/**
 * The stream to the control plane, kept alive: hello, updates applied and confirmed, heartbeats, reports, and again from
 * where it was when the connection is lost.
 *
 *   waiting ──certificate──▶ connecting ──hello──▶ connected ──lost | silent | renewed certificate──▶ waiting
 */
import type { BaseLogger } from 'pino';
import {
  DEAD_MS,
  DISCOVERY_PROTOCOL,
  HEARTBEAT_MS,
  type Hello,
  type HelloPort,
  type Report,
  type Update,
} from '../../api/discovery.ts';
import { MessageError, parseServerMessage } from '../../api/parse-discovery.ts';
import type { SnapshotProblem } from '../../api/validate-snapshot.ts';
import { Backoff } from '../../common/backoff.ts';
import type { Clock, Timer } from '../../common/clock.ts';
import type { Random } from '../../common/random.ts';
import type { CertificateStore } from '../identity/certificate-store.ts';
import type { StreamHandlers } from './control-plane-stream.ts';
import type { ControlPlaneTls } from './control-plane-tls.ts';
import { SnapshotAssembly } from './snapshot-assembly.ts';
import type { SnapshotStore } from './snapshot-store.ts';
import type { Subscriptions } from './subscriptions.ts';

/** Pauses between rounds over all control planes. */
const RECONNECT = { baseMs: 250, maxMs: 5_000 } as const;

/** A stream to a control plane; `ControlPlaneStream` is one. */
export interface DiscoveryStream {
  readonly localAddress: string;
  readonly closed: boolean;
  send(message: object): void;
  close(reason: string): void;
}

export type OpenStream = (url: string, tls: ControlPlaneTls, handlers: StreamHandlers) => Promise<DiscoveryStream>;

/** What the sidecar says about itself. */
export interface SidecarDescription {
  readonly release: string;
  readonly instance: string;
  readonly service: string;
  readonly ports: readonly HelloPort[];
  readonly labels: Readonly<Record<string, string>>;
  readonly locality: string;
  /** `host:port` that peers dial, given our address on the connection to the control plane. */
  advertise(localAddress: string): string;
  /** Whether the sidecar is ready, and the app behind it healthy. */
  health(): Pick<Report, 'ready' | 'health' | 'reason'>;
}

export interface SubscriberOptions {
  readonly controlPlanes: readonly string[];
  readonly description: SidecarDescription;
  readonly certificates: CertificateStore;
  readonly snapshots: SnapshotStore;
  readonly subscriptions: Subscriptions;
  readonly open: OpenStream;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: BaseLogger;
}

/** Owned by the discovery; lives as long as it. */
export class Subscriber {
  readonly #options: SubscriberOptions;
  readonly #assembly: SnapshotAssembly;
  readonly #backoff: Backoff;
  #next = 0;
  #stream: DiscoveryStream | undefined;
  #url = '';
  #retry: Timer | undefined;
  #heartbeat: Timer | undefined;
  #lastLineMs = 0;
  #stopWatching: () => void = () => {};
  #closed = false;
  #sidecar = '';
  #clockSkewMs: number | undefined;
  #syncedMs: number | undefined;
  #lastError = '';
  #refused: SnapshotProblem | undefined;
  #reported = '';
  /** Said goodbye; called when nobody is sent to us any more. */
  #gone: (() => void) | undefined;
  #leaving = false;

  constructor(options: SubscriberOptions) {
    this.#options = options;
    this.#assembly = new SnapshotAssembly(options.snapshots.snapshots.value);
    this.#backoff = new Backoff(RECONNECT, options.random);
  }

  /** For `status`. */
  get status() {
    return {
      connected: this.#sidecar !== '' && this.#stream !== undefined,
      controlPlane: this.#stream ? this.#url : '',
      sidecar: this.#sidecar,
      clockSkewMs: this.#clockSkewMs,
      /** Monotonic time of the last confirmed update or heartbeat; undefined before. */
      syncedMs: this.#syncedMs,
      lastError: this.#lastError,
      refused: this.#refused,
    };
  }

  start(): void {
    const { certificates } = this.#options;
    // A connection does not outlive the certificate it was made with; resuming costs next to nothing.
    this.#stopWatching = certificates.onChange(() => {
      // A goodbye is answered on the stream that it was said on, in less time than the old certificate has left.
      if (this.#gone !== undefined) return;
      if (this.#stream) this.#stream.close('the certificate was renewed');
      else this.#connectAfter(0);
    });
    if (certificates.current) this.#connectAfter(0);
  }

  /** For `Subscriptions`: while there is no connection, the next hello says it all. */
  send(type: 'subscribe' | 'unsubscribe', names: readonly string[]): void {
    this.#stream?.send({ type, names });
  }

  /** Tells the control plane, if something changed since it was told last. */
  report(): void {
    const { certificates, snapshots, description } = this.#options;
    const { services } = snapshots.snapshots.value;
    const report: Report = {
      type: 'report',
      ...description.health(),
      clockSkewMs: this.#clockSkewMs ?? 0,
      certificateExpiresAtMs: certificates.current?.notAfterMs ?? 0,
      services: services.length,
      endpoints: services.reduce((sum, { endpoints }) => sum + endpoints.length, 0),
    };
    const text = JSON.stringify(report);
    if (this.#stream === undefined || text === this.#reported) return;
    this.#reported = text;
    this.#stream.send(report);
  }

  /**
   * Says goodbye; resolves when the sidecars that knew of this one have confirmed that they send nothing more, or after `withinMs`. The stream stays,
   * so that routes stay right for what is under way.
   */
  async bye(withinMs: number): Promise<void> {
    this.#leaving = true;
    const stream = this.#stream;
    if (stream === undefined) return;
    await new Promise<void>(resolve => {
      const timer = this.#options.clock.setTimer(withinMs, resolve);
      this.#gone = () => {
        timer.cancel();
        resolve();
      };
      stream.send({ type: 'bye', confirm: true });
    });
    this.#gone = undefined;
  }

  close(): void {
    this.#closed = true;
    this.#stopWatching();
    this.#retry?.cancel();
    this.#stream?.close('the sidecar stops');
  }

  #connectAfter(ms: number): void {
    if (this.#closed) return;
    this.#retry?.cancel();
    this.#retry = this.#options.clock.setTimer(ms, () => void this.#connect());
  }

  async #connect(): Promise<void> {
    const { controlPlanes, certificates, open, log } = this.#options;
    this.#retry = undefined;
    const identity = certificates.current;
    if (this.#closed || this.#stream || identity === undefined) return;
    const url = controlPlanes[this.#next % controlPlanes.length] ?? '';
    this.#url = url;
    this.#sidecar = '';
    this.#reported = '';
    this.#assembly.reset();
    const handlers: StreamHandlers = {
      line: line => this.#receive(line),
      closed: reason => this.#lost(reason),
    };
    try {
      const { certificatePem, keyPem, trustBundlePem } = identity;
      const stream = await open(url, { certificatePem, keyPem, trustBundlePem }, handlers);
      if (this.#closed) return stream.close('the sidecar stops');
      if (stream.closed) return this.#failed('the stream was closed at once');
      this.#stream = stream;
      this.#lastLineMs = this.#options.clock.nowMs();
      stream.send(this.#hello(stream));
      this.#beat();
    } catch (error) {
      log.debug({ err: error }, `no connection to ${url}`);
      this.#failed(error instanceof Error ? error.message : String(error));
    }
  }

  #hello({ localAddress }: DiscoveryStream): Hello {
    const { description, snapshots, subscriptions } = this.#options;
    const { configVersion, endpointVersion } = snapshots.snapshots.value;
    const { release, instance, service, ports, labels, locality } = description;
    return {
      type: 'hello',
      protocol: DISCOVERY_PROTOCOL,
      release,
      instance,
      service,
      ports,
      labels,
      locality,
      advertise: description.advertise(localAddress),
      health: description.health().health,
      have: { configVersion, endpointVersion, services: this.#assembly.versions },
      subscriptions: subscriptions.names,
    };
  }

  #receive(line: string): void {
    const { clock, log } = this.#options;
    this.#lastLineMs = clock.nowMs();
    try {
      const message = parseServerMessage(line);
      switch (message.type) {
        case 'welcome':
          this.#backoff.reset();
          this.#sidecar = message.sidecar;
          this.#lastError = '';
          log.info(
            { controlPlane: this.#url, sidecar: message.sidecar, release: message.release },
            'connected to the control plane',
          );
          this.#heard(message.wallMs);
          if (this.#leaving) this.#stream?.send({ type: 'bye', confirm: false });
          break;
        case 'gone':
          this.#gone?.();
          break;
        case 'heartbeat':
          this.#heard(message.wallMs);
          break;
        case 'update':
          this.#update(message);
          break;
        case 'error':
          this.#lastError = message.reason;
          log.warn({ reason: message.reason }, 'the control plane ends the stream');
          break;
      }
    } catch (error) {
      if (!(error instanceof MessageError)) throw error;
      this.#stream?.close(`the control plane sent a line that is not a message: ${error.message}`);
    }
  }

  #heard(serverWallMs: number): void {
    const { clock } = this.#options;
    this.#clockSkewMs = Math.round(clock.wallMs() - serverWallMs);
    if (this.#refused === undefined) this.#syncedMs = clock.nowMs();
    this.report();
  }

  #update(part: Update): void {
    const { snapshots, subscriptions, clock, log } = this.#options;
    const assembled = this.#assembly.add(part);
    if (assembled === undefined) return;
    const problem = 'snapshot' in assembled ? snapshots.apply(assembled.snapshot) : assembled;
    if (problem) {
      this.#refused = problem;
      log.error(problem, 'the update cannot be applied; the sidecar stays with what it has');
      this.#stream?.send({
        type: 'nack',
        update: part.update,
        path: problem.path.slice(0, 1_024),
        reason: problem.reason.slice(0, 1_024),
      });
      return;
    }
    if ('snapshot' in assembled) this.#assembly.confirm(assembled);
    this.#refused = undefined;
    this.#syncedMs = clock.nowMs();
    this.#stream?.send({ type: 'ack', update: part.update });
    subscriptions.answered(part.answers);
    this.report();
  }

  #beat(): void {
    const { clock } = this.#options;
    this.#heartbeat = clock.setTimer(HEARTBEAT_MS, () => {
      if (clock.nowMs() - this.#lastLineMs >= DEAD_MS)
        return this.#stream?.close(`the control plane was silent for ${DEAD_MS / 1_000} s`);
      this.#stream?.send({ type: 'heartbeat', wallMs: Math.round(clock.wallMs()) });
      this.report();
      this.#beat();
    });
  }

  #lost(reason: string): void {
    if (this.#stream === undefined) return;
    this.#options.log.info({ controlPlane: this.#url, reason }, 'the stream to the control plane ended');
    this.#stream = undefined;
    this.#heartbeat?.cancel();
    this.#gone?.();
    this.#failed(this.#lastError || reason);
  }

  /** The next control plane at once, and a pause after each round. A stream that had worked begins a new round. */
  #failed(reason: string): void {
    const { controlPlanes } = this.#options;
    this.#lastError = reason;
    const worked = this.#sidecar !== '';
    this.#sidecar = '';
    if (!worked) this.#next++;
    this.#connectAfter(worked || this.#next % controlPlanes.length === 0 ? this.#backoff.next() : 0);
  }
}

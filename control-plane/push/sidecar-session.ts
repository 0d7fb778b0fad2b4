/**
 * One sidecar's stream, as a state machine without a socket.
 *
 *   opened ──hello──▶ idle ──something differs──▶ sending ──ack | nack──▶ idle
 *                      └──────────── close, silence, unconfirmed for too long ──▶ closed
 *
 * At most one update is under way. What changes meanwhile is in the next one, as the newest state, so a slow sidecar costs
 * no queue; one that does not confirm in time is disconnected, and resumes from its versions when it is back.
 */
import {
  type ClientMessage,
  DEAD_MS,
  DISCOVERY_PROTOCOL,
  HEARTBEAT_MS,
  type Hello,
  MAX_SUBSCRIPTIONS,
  type Report,
} from '../../api/discovery.ts';
import { MessageError, parseClientMessage } from '../../api/parse-discovery.ts';
import type { SidecarRefusal, SidecarVersions } from '../../api/sidecar.ts';
import type { Clock, Timer } from '../../common/clock.ts';
import type { Translator } from '../translate/translator.ts';
import { asHeld, computeTarget, diff, differs, type Held, type Target } from './target.ts';
import { updateLines } from './update-lines.ts';

/** The stream under a session. */
export interface SidecarStream {
  /** False: nothing more should be written until `onDrain` is called. */
  write(line: string): boolean;
  /** Calls back once, when what was written is gone. */
  onDrain(fn: () => void): void;
  /** Ends the stream after what was written. */
  end(): void;
  /** Ends it at once. */
  destroy(): void;
}

/** Who is at the other end, from its certificate. */
export interface SidecarPeer {
  readonly namespace: string;
  readonly serviceAccount: string;
  /** SPIFFE id. */
  readonly identity: string;
  /** Address of the connection. */
  readonly address: string;
  /** notAfter of its certificate. */
  readonly certificateExpiresAtMs: number;
}

export interface SessionOwner {
  /** The first line came. Gives the name of the Sidecar object. */
  opened(session: SidecarSession, hello: Hello): string;
  /** Keys whose change may concern this session. */
  interested(session: SidecarSession, keys: ReadonlySet<string>): void;
  /** Something that is shown about this sidecar changed. */
  changed(session: SidecarSession): void;
  /** It said goodbye; `confirm`: and waits for `gone()`. */
  left(session: SidecarSession, confirm: boolean): void;
  /** It holds the newest state that concerns it, or has refused that. */
  upToDate(session: SidecarSession): void;
  /** The stream is over; called once. */
  closed(session: SidecarSession): void;
}

/** An update that is not confirmed for this long ends the stream. */
export const CONFIRM_MS = 30_000;

/** Owned by the push server; lives as long as its stream. */
export class SidecarSession {
  readonly peer: SidecarPeer;
  readonly connectedAtMs: number;
  readonly subscriptions = new Set<string>();
  hello: Hello | undefined;
  report: Report | undefined;
  acked: SidecarVersions = { config: '', endpoints: '' };
  ackedAtMs = 0;
  refused: SidecarRefusal | undefined;
  readonly #stream: SidecarStream;
  readonly #translator: Translator;
  readonly #owner: SessionOwner;
  readonly #clock: Clock;
  readonly #release: string;
  #held: Held = { configVersion: '', endpointVersion: '', services: new Map(), answers: new Map() };
  /** The update that is under way. */
  #sending: { readonly target: Target; readonly deadline: Timer } | undefined;
  #updates = 0;
  #lastLineMs: number;
  #heartbeat: Timer | undefined;
  #blocked = false;
  #closed = false;

  constructor(
    peer: SidecarPeer,
    stream: SidecarStream,
    translator: Translator,
    owner: SessionOwner,
    clock: Clock,
    release: string,
  ) {
    this.peer = peer;
    this.#stream = stream;
    this.#translator = translator;
    this.#owner = owner;
    this.#clock = clock;
    this.#release = release;
    this.connectedAtMs = clock.wallMs();
    this.#lastLineMs = clock.nowMs();
    this.#beat();
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** What it was sent last, confirmed or not. */
  get sent(): SidecarVersions {
    const { configVersion, endpointVersion } = this.#sending?.target ?? this.#held;
    return this.#sending || !this.refused
      ? { config: configVersion, endpoints: endpointVersion }
      : { config: this.refused.config, endpoints: this.refused.endpoints };
  }

  get state(): 'Synced' | 'Stale' | 'Refused' {
    if (this.refused) return 'Refused';
    return this.#sending || this.#updates === 0 ? 'Stale' : 'Synced';
  }

  /** One line of the sidecar. */
  receive(line: string): void {
    if (this.#closed) return;
    this.#lastLineMs = this.#clock.nowMs();
    try {
      this.#handle(parseClientMessage(line));
    } catch (error) {
      if (!(error instanceof MessageError)) throw error;
      this.refuse(error.message, false);
    }
  }

  /** Sends what differs from what the sidecar holds, unless an update is under way. */
  flush(): void {
    if (this.#closed || this.hello === undefined || this.#sending || this.#blocked) return;
    const { namespace } = this.peer;
    const own = this.hello.ports.length > 0 ? { ...this.hello, namespace } : undefined;
    const target = computeTarget(
      this.#translator,
      this.subscriptions,
      namespace,
      own,
      this.hello.have.configVersion === '',
    );
    this.#owner.interested(this, target.interests);
    const delta = diff(target, this.#held);
    if (this.#updates > 0 && !differs(target, this.#held, delta)) {
      this.#recovered();
      this.#owner.upToDate(this);
      return;
    }
    if (this.refused?.config === target.configVersion && this.refused.endpoints === target.endpointVersion) {
      this.#owner.upToDate(this);
      return;
    }
    this.#updates++;
    this.#sending = {
      target,
      deadline: this.#clock.setTimer(CONFIRM_MS, () =>
        this.refuse(`the update was not confirmed within ${CONFIRM_MS / 1_000} s`, true),
      ),
    };
    this.#owner.changed(this);
    this.#pump(updateLines(this.#updates, target, delta));
  }

  /** Tells a sidecar that leaves that it may go. */
  gone(): void {
    if (!this.#closed && !this.#blocked) this.#stream.write(`${JSON.stringify({ type: 'gone' })}\n`);
  }

  /** Tells the sidecar why, and ends the stream. */
  refuse(reason: string, retry: boolean): void {
    if (this.#closed) return;
    this.#stream.write(`${JSON.stringify({ type: 'error', reason, retry })}\n`);
    this.close();
  }

  /** The stream is gone, or should go. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#sending?.deadline.cancel();
    this.#heartbeat?.cancel();
    if (this.#blocked) this.#stream.destroy();
    else this.#stream.end();
    this.#owner.closed(this);
  }

  #handle(message: ClientMessage): void {
    if (message.type === 'hello') this.#open(message);
    else if (this.hello === undefined) throw new MessageError('the first line must be hello');
    else this.#handleOpen(message);
  }

  #handleOpen(message: Exclude<ClientMessage, Hello>): void {
    switch (message.type) {
      case 'subscribe':
        this.#subscribe(message.names);
        break;
      case 'unsubscribe':
        for (const name of message.names) this.subscriptions.delete(name);
        this.flush();
        break;
      case 'ack':
        this.#confirmed(message.update, target => {
          this.#held = asHeld(target);
          this.acked = { config: target.configVersion, endpoints: target.endpointVersion };
          this.ackedAtMs = this.#clock.wallMs();
          this.refused = undefined;
        });
        break;
      case 'nack':
        this.#confirmed(message.update, target => {
          this.refused = {
            config: target.configVersion,
            endpoints: target.endpointVersion,
            path: message.path,
            reason: message.reason,
            at: new Date(this.#clock.wallMs()).toISOString(),
          };
        });
        break;
      case 'report':
        this.report = message;
        this.#owner.changed(this);
        break;
      case 'heartbeat':
        break;
      case 'bye':
        this.#owner.left(this, message.confirm);
        break;
    }
  }

  #subscribe(names: readonly string[]): void {
    for (const name of names) {
      this.subscriptions.add(name);
      // Asked anew is answered anew.
      this.#held.answers.delete(name);
    }
    this.#checkSubscriptions();
    this.flush();
  }

  #open(hello: Hello): void {
    if (this.hello !== undefined) throw new MessageError('hello must come once');
    if (hello.protocol !== DISCOVERY_PROTOCOL)
      throw new MessageError(`protocol must be ${DISCOVERY_PROTOCOL}, not ${hello.protocol}`);
    this.hello = hello;
    for (const name of hello.subscriptions) this.subscriptions.add(name);
    this.#checkSubscriptions();
    const { configVersion, endpointVersion, services } = hello.have;
    this.#held = { configVersion, endpointVersion, services: new Map(Object.entries(services)), answers: new Map() };
    this.acked = { config: configVersion, endpoints: endpointVersion };
    const sidecar = this.#owner.opened(this, hello);
    this.#stream.write(
      `${JSON.stringify({ type: 'welcome', sidecar, wallMs: this.#clock.wallMs(), release: this.#release })}\n`,
    );
    this.flush();
  }

  #checkSubscriptions(): void {
    if (this.subscriptions.size > MAX_SUBSCRIPTIONS)
      throw new MessageError(`subscriptions must be at most ${MAX_SUBSCRIPTIONS}`);
  }

  #confirmed(update: number, then: (target: Target) => void): void {
    if (this.#sending === undefined || update !== this.#updates)
      throw new MessageError(`update must be that of the update under way, not ${update}`);
    const { target, deadline } = this.#sending;
    deadline.cancel();
    this.#sending = undefined;
    then(target);
    this.#owner.changed(this);
    this.flush();
  }

  /** What was refused is no longer wanted, and what the sidecar runs on is right again. */
  #recovered(): void {
    if (this.refused === undefined) return;
    this.refused = undefined;
    this.#owner.changed(this);
  }

  #pump(lines: Generator<string, void, void>): void {
    for (;;) {
      const next = lines.next();
      if (next.done || this.#closed) break;
      if (this.#stream.write(next.value)) continue;
      this.#blocked = true;
      this.#stream.onDrain(() => {
        this.#blocked = false;
        if (!this.#closed) this.#pump(lines);
      });
      return;
    }
    // An ack that came before the last line was written would be a sidecar's mistake; a change that came is not.
    this.flush();
  }

  #beat(): void {
    this.#heartbeat = this.#clock.setTimer(HEARTBEAT_MS, () => {
      const silentMs = this.#clock.nowMs() - this.#lastLineMs;
      if (silentMs >= DEAD_MS) {
        this.close();
        return;
      }
      if (!this.#blocked && this.hello)
        this.#stream.write(`${JSON.stringify({ type: 'heartbeat', wallMs: this.#clock.wallMs() })}\n`);
      this.#beat();
    });
  }
}

import { DEFAULT_POLICY } from '../../api/snapshot.ts';
import type { Clock } from '../../common/clock.ts';
import type { AppPort } from '../config.ts';
import { BREAKER_COUNTS, CircuitBreaker } from '../resilience/circuit-breaker.ts';
import { dialTcp } from '../upstream/dial-tcp.ts';
import type { Transport } from '../upstream/transport.ts';
import { plainTransport, TRANSPORT_KINDS, type TransportKind, type TransportParts } from '../upstream/transports.ts';
import { type Cells, ownCells } from '../workers/cells.ts';

/** The app is on this machine: it is there at once, or not at all. */
const CONNECT_TIMEOUT_MS = 5_000;

/** The connections to our own app, by port and protocol. Owned by the proxy. */
export class AppTransports {
  private readonly parts: TransportParts;
  private readonly host: string;
  private readonly clock: Clock;
  private readonly transports = new Map<string, Transport>();
  private readonly counts = new Map<string, Int32Array>();

  /** `cells`: what is under way to the `ports` is counted by all workers in the same place. */
  constructor(parts: TransportParts, host: string, ports: readonly AppPort[] = [], cells: Cells = ownCells) {
    this.parts = parts;
    this.host = host;
    this.clock = parts.clock;
    for (const { port } of ports)
      for (const kind of TRANSPORT_KINDS) {
        const bytes = BREAKER_COUNTS * Int32Array.BYTES_PER_ELEMENT;
        this.counts.set(`${kind} ${port}`, new Int32Array(cells(`app ${kind} ${port}`, bytes)));
      }
  }

  get(port: number, kind: TransportKind): Transport {
    const key = `${kind} ${port}`;
    let transport = this.transports.get(key);
    if (transport === undefined) {
      const dial = dialTcp(this.host, port, () => CONNECT_TIMEOUT_MS, this.clock);
      const breaker = new CircuitBreaker(DEFAULT_POLICY.circuitBreaker, undefined, this.counts.get(key));
      transport = plainTransport(this.parts, kind, dial, breaker);
      this.transports.set(key, transport);
    }
    return transport;
  }

  get connections(): number {
    let open = 0;
    for (const transport of this.transports.values()) open += transport.connections;
    return open;
  }

  close(): void {
    for (const transport of this.transports.values()) transport.close();
  }
}

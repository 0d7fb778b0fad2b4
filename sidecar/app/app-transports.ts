import { DEFAULT_POLICY } from '../../api/snapshot.ts';
import type { Clock } from '../../common/clock.ts';
import { CircuitBreaker } from '../resilience/circuit-breaker.ts';
import { dialTcp } from '../upstream/dial-tcp.ts';
import type { Transport } from '../upstream/transport.ts';
import { plainTransport, type TransportKind, type TransportParts } from '../upstream/transports.ts';

/** The app is on this machine: it is there at once, or not at all. */
const CONNECT_TIMEOUT_MS = 5_000;

/** The connections to our own app, by port and protocol. Owned by the proxy. */
export class AppTransports {
  private readonly parts: TransportParts;
  private readonly host: string;
  private readonly clock: Clock;
  private readonly transports = new Map<string, Transport>();

  constructor(parts: TransportParts, host: string) {
    this.parts = parts;
    this.host = host;
    this.clock = parts.clock;
  }

  get(port: number, kind: TransportKind): Transport {
    const key = `${kind} ${port}`;
    let transport = this.transports.get(key);
    if (transport === undefined) {
      const dial = dialTcp(this.host, port, () => CONNECT_TIMEOUT_MS, this.clock);
      transport = plainTransport(this.parts, kind, dial, new CircuitBreaker(DEFAULT_POLICY.circuitBreaker));
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

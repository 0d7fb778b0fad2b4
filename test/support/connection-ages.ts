/** How old TCP connections of certain ports get, as the kernel sees them: both ends, of whatever processes. Linux. */
import { readFileSync } from 'node:fs';

/** Both ports and the number of the socket of what is ESTABLISHED (01) or, because its owner holds on to it, in CLOSE_WAIT (08). proc_pid_net(5) */
const OPEN = /^ *\d+: \S+:([0-9A-F]{4}) \S+:([0-9A-F]{4}) (?:01|08) \S+ \S+ \S+ +\d+ +\d+ (\d+)/gm;
/** A look takes tens of milliseconds where thousands of connections are open, in which this process does nothing else. */
const LOOK_MS = 1_000;

interface Seen {
  readonly sinceMs: number;
  ageMs: number;
}

/** Looks once a second until it is stopped. Owned by the test. */
export class ConnectionAges implements Disposable {
  /** One for each end of each connection, by the number of its socket: ports are used again. */
  private readonly ends = new Map<string, Seen>();
  private readonly ports: ReadonlySet<number>;
  private readonly timer: NodeJS.Timeout;

  /** `ports`: where the callees listen. */
  constructor(ports: Iterable<number>) {
    this.ports = new Set(ports);
    this.timer = setInterval(() => this.look(), LOOK_MS);
  }

  /** `accepted`: as the callees see it, `dialled`: as the callers do. Ages are short by up to a second. */
  get summary() {
    const of = (side: string) => {
      const ages = [...this.ends].filter(([key]) => key.startsWith(side)).map(([, { ageMs }]) => ageMs);
      return { connections: ages.length, oldestMs: Math.round(Math.max(0, ...ages)) };
    };
    return { accepted: of('accepted'), dialled: of('dialled') };
  }

  [Symbol.dispose](): void {
    clearInterval(this.timer);
  }

  private look(): void {
    const nowMs = performance.now();
    for (const file of ['/proc/net/tcp', '/proc/net/tcp6']) {
      for (const [, local = '', remote = '', inode = ''] of readFileSync(file, 'utf8').matchAll(OPEN)) {
        // 0: it belongs to no process, because it is not accepted yet.
        if (inode === '0') continue;
        for (const [side, port] of [
          ['accepted', local],
          ['dialled', remote],
        ] as const) {
          if (!this.ports.has(Number.parseInt(port, 16))) continue;
          const key = `${side} ${inode}`;
          const seen = this.ends.get(key) ?? { sinceMs: nowMs, ageMs: 0 };
          seen.ageMs = nowMs - seen.sinceMs;
          this.ends.set(key, seen);
        }
      }
    }
  }
}

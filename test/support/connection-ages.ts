/** How old TCP connections of certain ports get, as the kernel sees them: both ends, of whatever processes. Linux. */
import { readFileSync } from 'node:fs';

/** A peer that closed and is still held on to counts as open. */
const OPEN = new Set(['01', '08']);
const LOOK_MS = 200;

interface Seen {
  readonly sinceMs: number;
  ageMs: number;
}

/** Looks several times a second until it is stopped. Owned by the test. */
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

  /** `accepted`: as the callees see it, `dialled`: as the callers do. Ages are short by up to 0.2 s. */
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
      for (const line of readFileSync(file, 'utf8').split('\n').slice(1)) {
        const [, local = '', remote = '', state = '', , , , , , inode = '0'] = line.trim().split(/\s+/);
        // 0: it belongs to no process, because it is not accepted yet.
        if (!OPEN.has(state) || inode === '0') continue;
        for (const [side, address] of [
          ['accepted', local],
          ['dialled', remote],
        ] as const) {
          if (!this.ports.has(Number.parseInt(address.split(':')[1] ?? '', 16))) continue;
          const key = `${side} ${inode}`;
          const seen = this.ends.get(key) ?? { sinceMs: nowMs, ageMs: 0 };
          seen.ageMs = nowMs - seen.sinceMs;
          this.ends.set(key, seen);
        }
      }
    }
  }
}

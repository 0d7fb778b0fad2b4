/** One `outrider sidecar` process without a control plane, and what it says about itself. */
import { fileURLToPath } from 'node:url';
import { request } from 'undici';
import { RunningProcess } from './processes.ts';
import { parseSamples, type Sample } from './prometheus-text.ts';
import { waitFor } from './wait-for.ts';

const CLI = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));

export interface SidecarPorts {
  readonly inbound: number;
  readonly outbound: number;
  readonly admin: number;
  readonly metrics: number;
}

export interface SidecarOptions {
  readonly service: string;
  readonly stateDir: string;
  readonly ports: SidecarPorts;
  readonly env?: Readonly<Record<string, string>>;
}

/** Owned by the test. */
export class Sidecar {
  readonly process: RunningProcess;
  readonly ports: SidecarPorts;

  constructor(name: string, { service, stateDir, ports, env }: SidecarOptions) {
    this.ports = ports;
    this.process = new RunningProcess(process.execPath, [CLI, 'sidecar'], {
      name: `sidecar ${name}`,
      env: {
        OUTRIDER_SERVICE: service,
        OUTRIDER_NAMESPACE: 'default',
        OUTRIDER_STATE_DIR: stateDir,
        OUTRIDER_CONTROL_PLANE: 'none',
        OUTRIDER_INBOUND: `127.0.0.1:${ports.inbound}`,
        OUTRIDER_OUTBOUND: `127.0.0.1:${ports.outbound}`,
        OUTRIDER_ADMIN: `127.0.0.1:${ports.admin}`,
        OUTRIDER_METRICS: `127.0.0.1:${ports.metrics}`,
        OUTRIDER_DRAIN: '500ms',
        // tap's loaders are for tests, not for the program under test.
        NODE_OPTIONS: undefined,
        ...env,
      },
    });
  }

  /** Waits for `/healthz/ready` to say 200. */
  async ready(timeoutMs = 15_000): Promise<void> {
    try {
      await waitFor(
        `${this.process.name} to be ready`,
        async () => {
          if (this.process.exit) return 'ended' as const;
          const answer = await request(`http://127.0.0.1:${this.ports.metrics}/healthz/ready`);
          await answer.body.dump();
          return answer.statusCode === 200;
        },
        timeoutMs,
      );
      if (this.process.exit) throw new Error(`${this.process.name} ended`);
    } catch (error) {
      throw new Error(`${this.process.name} does not become ready\n${this.process.output()}`, { cause: error });
    }
  }

  /** The exposition as it is now. */
  async exposition(): Promise<string> {
    const answer = await request(`http://127.0.0.1:${this.ports.metrics}/metrics`);
    return answer.body.text();
  }

  async samples(): Promise<Sample[]> {
    return parseSamples(await this.exposition());
  }

  /** A page of the admin interface. */
  async admin(path: string): Promise<string> {
    const answer = await request(`http://127.0.0.1:${this.ports.admin}${path}`);
    return answer.body.text();
  }
}

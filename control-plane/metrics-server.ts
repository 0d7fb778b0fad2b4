/** `/metrics` and health of the control plane, in plain HTTP for Prometheus and probes. */

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';

export interface MetricsServerOptions {
  readonly release: string;
  readonly isReady: () => boolean;
  readonly connectedSidecars: () => number;
  /** The newest resourceVersion: how many writes there were. */
  readonly resourceVersion: () => number;
}

/** Owned by the control plane; lives as long as it. */
export class MetricsServer implements AsyncDisposable {
  readonly #registry = new Registry();
  readonly #server: Server;

  constructor(options: MetricsServerOptions) {
    const gauge = (name: string, help: string, value: () => number) =>
      new Gauge({
        name,
        help,
        registers: [this.#registry],
        collect() {
          this.set(value());
        },
      });
    collectDefaultMetrics({ register: this.#registry });
    gauge('outrider_control_plane_sidecars', 'Sidecars that are connected.', options.connectedSidecars);
    gauge('outrider_control_plane_resource_version', 'The newest resourceVersion.', options.resourceVersion);
    new Gauge({
      name: 'outrider_build_info',
      help: 'Release and Node version; the value is 1.',
      labelNames: ['version', 'node_version'],
      registers: [this.#registry],
    }).set({ version: options.release, node_version: process.version }, 1);

    this.#server = createServer((request, response) => {
      const text = (code: number, body: string, type = 'text/plain') =>
        response.writeHead(code, { 'content-type': type }).end(request.method === 'HEAD' ? undefined : body);
      const path = request.url?.split('?')[0] ?? '';
      if (request.method !== 'GET' && request.method !== 'HEAD') text(405, 'only GET and HEAD are possible here\n');
      else if (path === '/metrics')
        this.#registry.metrics().then(
          body => text(200, body, this.#registry.contentType),
          (error: unknown) => text(500, `${String(error)}\n`),
        );
      else if (path === '/healthz' || path === '/healthz/live') text(200, 'ok\n');
      else if (path === '/readyz' || path === '/healthz/ready') {
        if (options.isReady()) text(200, 'ok\n');
        else text(503, 'not ready\n');
      } else text(404, 'there is /metrics, /healthz/live and /healthz/ready\n');
    });
  }

  /** `port` 0: a free one. */
  listen(host: string, port: number): Promise<AddressInfo> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, host, () => resolve(this.#server.address() as AddressInfo));
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise(resolve => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }
}

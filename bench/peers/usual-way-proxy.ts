/** The program of one such proxy. Argument: its options as JSON. */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { Pool } from 'undici';

interface PemFiles {
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
}

export interface UsualProxyOptions {
  readonly port: number;
  /** Origin of the next hop. */
  readonly upstream: string;
  /** Name that the next hop's certificate must carry. */
  readonly serverName?: string;
  /** For mTLS on the side of the callers. */
  readonly inbound?: PemFiles;
  /** For mTLS to the next hop. */
  readonly outbound?: PemFiles;
}

const options = JSON.parse(process.argv[2] ?? '{}') as UsualProxyOptions;

const tls = ({ ca, certificate, key }: PemFiles): { ca: Buffer; cert: Buffer; key: Buffer; minVersion: 'TLSv1.3' } => ({
  ca: readFileSync(ca),
  cert: readFileSync(certificate),
  key: readFileSync(key),
  minVersion: 'TLSv1.3',
});

const pool = new Pool(options.upstream, {
  connections: 256,
  ...(options.outbound && {
    connect: { ...tls(options.outbound), ...(options.serverName && { servername: options.serverName }) },
  }),
});

const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
  'te',
  'trailer',
]);

const forwarded = (headers: IncomingMessage['headers']): Record<string, string | string[]> => {
  const kept: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(headers))
    if (value !== undefined && !HOP_BY_HOP.has(name)) kept[name] = value;
  return kept;
};

const proxy: RequestListener = (request, response) => {
  const { host, ...others } = request.headers;
  const headers = forwarded(others);
  // undici takes Host as the TLS server name too, so the next hop gets its own and is told the original.
  if (host !== undefined) headers['x-forwarded-host'] ??= host;
  headers['x-request-id'] ??= randomUUID();
  const hasBody = 'content-length' in request.headers || 'transfer-encoding' in request.headers;
  pool
    .stream(
      { path: request.url ?? '/', method: (request.method ?? 'GET') as 'GET', headers, body: hasBody ? request : null },
      answer => {
        response.writeHead(answer.statusCode, forwarded(answer.headers));
        return response;
      },
    )
    .catch(() => {
      if (response.headersSent) response.destroy();
      else response.writeHead(502).end();
    });
};

const server = options.inbound
  ? createTlsServer({ ...tls(options.inbound), requestCert: true, rejectUnauthorized: true }, proxy)
  : createServer(proxy);
server.listen(options.port, '127.0.0.1');

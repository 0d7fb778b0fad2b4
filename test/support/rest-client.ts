/** A control plane in this process, and requests to its REST API as any HTTP client makes them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import pino from 'pino';
import { Agent, request } from 'undici';
import { systemClock } from '../../common/clock.ts';
import { systemRandom } from '../../common/random.ts';
import { ControlPlane } from '../../control-plane/control-plane.ts';

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Parsed if it is JSON. */
  readonly body: Json;
}

/** What tests look into without knowing its shape. */
export type Json = { readonly [name: string]: Json } & readonly Json[] & string;

export interface Requested {
  /** An object is sent as JSON, a string as it is. */
  readonly body?: object | string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
  /** '' sends none. */
  readonly token?: string;
}

export const startControlPlane = (dataDir: string): Promise<ControlPlane> => {
  const anyPort = { host: '127.0.0.1', port: 0 };
  return ControlPlane.start({
    dataDir,
    rest: anyPort,
    channel: anyPort,
    metrics: anyPort,
    trustDomain: 'mesh.local',
    certificateLifetimeMs: 3_600_000,
    dnsNames: [],
    ipAddresses: [],
    release: '0.0.0-test',
    clock: systemClock,
    random: systemRandom,
    log: pino({ level: 'silent' }),
  });
};

/** Trusts the bundle of that data directory, and sends its admin token. */
export class RestClient implements AsyncDisposable {
  readonly url: string;
  readonly #agent: Agent;
  readonly #token: string;

  constructor(url: string, dataDir: string) {
    this.url = url;
    this.#agent = new Agent({ connect: { ca: readFileSync(join(dataDir, 'trust-bundle.pem')) } });
    this.#token = readFileSync(join(dataDir, 'admin-token'), 'utf8').trim();
  }

  async call(
    method: string,
    path: string,
    { body, headers = {}, token = this.#token }: Requested = {},
  ): Promise<Answer> {
    const isObject = typeof body === 'object' && !Buffer.isBuffer(body);
    const response = await request(`${this.url}${path}`, {
      method: method as 'GET',
      dispatcher: this.#agent,
      headers: {
        ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      body: isObject ? JSON.stringify(body) : (body ?? null),
    });
    const text = await response.body.text();
    const isJson = String(response.headers['content-type']).startsWith('application/json');
    return { status: response.statusCode, headers: response.headers, body: (isJson ? JSON.parse(text) : text) as Json };
  }

  /** The lines of a watch as they come; ends when the caller stops or the server does. */
  async *watch(path: string): AsyncGenerator<Json> {
    const response = await request(`${this.url}${path}`, {
      dispatcher: this.#agent,
      headers: { authorization: `Bearer ${this.#token}` },
      bodyTimeout: 0,
    });
    if (response.statusCode !== 200) throw new Error(`${response.statusCode}: ${await response.body.text()}`);
    let rest = '';
    for await (const chunk of response.body) {
      const lines = (rest + String(chunk)).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) yield JSON.parse(line) as Json;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent.destroy();
  }
}

/** One HTTP/2 stream to one control plane: lines in, lines out. */
import { once } from 'node:events';
import http2, { type ClientHttp2Session } from 'http2-wrapper';
import { MAX_SERVER_LINE_BYTES } from '../../api/discovery.ts';
import { LineReader } from '../../common/json-lines.ts';
import { type ControlPlaneTls, controlPlaneTls } from './control-plane-tls.ts';

export interface StreamHandlers {
  line(line: string): void;
  /** Called once, when the stream is over for whatever reason. */
  closed(reason: string): void;
}

const CONNECT_MS = 5_000;

/** Owned by the subscriber; lives as long as the stream. */
export class ControlPlaneStream {
  /** Our own address as the control plane reaches it. */
  readonly localAddress: string;
  readonly #session: ClientHttp2Session;
  readonly #request: ReturnType<typeof http2.request>;
  readonly #handlers: StreamHandlers;
  #closed = false;

  /** Rejects with an `Error` when there is no connection within 5 s, or it is not a control plane. */
  static async open(url: string, tls: ControlPlaneTls, handlers: StreamHandlers): Promise<ControlPlaneStream> {
    const session = http2.connect(new URL(url).origin, controlPlaneTls(tls));
    const signal = AbortSignal.timeout(CONNECT_MS);
    try {
      await once(session, 'connect', { signal });
      const request = http2.request(url, { h2session: session, method: 'POST', path: '/v1/discovery' });
      request.on('error', () => {});
      const stream = new ControlPlaneStream(session, request, handlers);
      request.flushHeaders();
      return stream;
    } catch (error) {
      session.destroy();
      throw signal.aborted ? new Error(`no connection within ${CONNECT_MS / 1_000} s`) : error;
    }
  }

  private constructor(
    session: ClientHttp2Session,
    request: ReturnType<typeof http2.request>,
    handlers: StreamHandlers,
  ) {
    this.#session = session;
    this.#request = request;
    this.#handlers = handlers;
    this.localAddress = session.socket.localAddress ?? '';
    const lines = new LineReader(MAX_SERVER_LINE_BYTES, line => {
      if (!this.#closed) handlers.line(line);
    });
    session.on('error', error => this.close(error.message));
    session.once('close', () => this.close('the connection was closed'));
    session.once('goaway', () => this.close('the control plane is going away'));
    request.once('error', (error: Error) => this.close(error.message));
    request.once('close', () => this.close('the stream was closed'));
    request.once('response', response => {
      if (response.statusCode !== 200) return this.close(`the control plane answers ${response.statusCode}`);
      response.on('data', (chunk: Buffer) => {
        if (!lines.push(chunk)) this.close('a line of the control plane is too long');
      });
      response.on('error', error => this.close(error.message));
      response.once('end', () => this.close('the control plane ended the stream'));
    });
  }

  get closed(): boolean {
    return this.#closed;
  }

  send(message: object): void {
    if (!this.#closed) this.#request.write(`${JSON.stringify(message)}\n`);
  }

  close(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    // What was written still goes out; the session ends with its last stream, at the latest after a moment.
    this.#request.end();
    this.#session.close();
    setTimeout(() => this.#session.destroy(), 1_000).unref();
    this.#handlers.closed(reason);
  }
}

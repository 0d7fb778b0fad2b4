/** Apps that are small Node programs with a message channel: they report their port first, then the count when asked. */
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { AppProtocol } from '../peers/peer.ts';
import type { StartApp } from './app.ts';

export const startNodeApp =
  (protocol: AppProtocol, program: string): StartApp =>
  async children => {
    const child = children.start(process.execPath, [fileURLToPath(new URL(program, import.meta.url)), protocol], {
      channel: true,
    });
    const ended = child.exited.then(() => {
      throw new Error(`the app ended: ${child.lastWords}`);
    });
    const [port] = (await Promise.race([once(child.process, 'message'), ended])) as [number];
    ended.catch(() => {});
    return {
      protocol,
      port,
      count: async () => Number(await child.ask('count')),
      stop: () => child.stop(),
    };
  };

/** How much longer a server that speaks first takes to be heard through the mesh. */
import { connect } from 'node:net';

/** Milliseconds from the first SYN to the first byte of the server. */
export const greetedMs = (port: number): Promise<number> =>
  new Promise((resolve, reject) => {
    const beginMs = performance.now();
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('data', () => {
      resolve(performance.now() - beginMs);
      socket.destroy();
    });
    socket.once('error', reject);
    socket.once('end', () => reject(new Error('ended without a word')));
  });

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;

/** The medians of `count` connections each, made by turns, so that what else the machine does slows both alike. */
export const greetingTimes = async (
  direct: number,
  mesh: number,
  count: number,
): Promise<{ readonly directMs: number; readonly meshMs: number }> => {
  const [directTimes, meshTimes]: [number[], number[]] = [[], []];
  for (let i = 0; i < count; i++) {
    directTimes.push(await greetedMs(direct));
    meshTimes.push(await greetedMs(mesh));
  }
  return { directMs: median(directTimes), meshMs: median(meshTimes) };
};

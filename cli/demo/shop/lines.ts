/** A protocol that no mesh knows: a line there, a line back. */
import { exchange, type Measure, serveBytes } from './bytes.ts';

const lineLength: Measure = bytes => bytes.indexOf('\n') + 1 || undefined;

export const serveLines = (port: number, answer: (line: string) => string): void =>
  serveBytes(port, lineLength, line => Buffer.from(`${answer(line.toString().trimEnd())}\n`));

export const sayLine = async (service: string, line: string): Promise<string> =>
  (await exchange(service, lineLength, Buffer.from(`${line}\n`))).toString().trimEnd();

import { type Command, InvalidArgumentError, Option } from 'commander';
import { parseDuration } from '../common/duration.ts';
import { report } from './failure.ts';

interface DemoFlags {
  /** Milliseconds. */
  readonly duration?: number;
  readonly output: 'table' | 'json';
}

/** `outrider demo`: a mesh, a shop in it, and people in the shop. */
export const registerDemo = (program: Command): void => {
  program
    .command('demo')
    .summary('a mesh with a shop in it, on this machine')
    .description(
      'Starts a control plane and a shop of nine services in REST, gRPC, Thrift, Hessian and raw TCP, each behind a sidecar of its own, sends traffic through it and shows what the sidecars measure. Succeeds when every request succeeded over mTLS. Ctrl-C ends it.',
    )
    .option('--duration <duration>', 'how long, such as 20s (default: until Ctrl-C)', readMs)
    .addOption(
      new Option('-o, --output <form>', 'json: one object at the end, times in milliseconds')
        .choices(['table', 'json'])
        .default('table'),
    )
    .addHelpText('after', '\nExample:\n  outrider demo --duration 20s --output json\n')
    .action(async ({ duration, output }: DemoFlags) => {
      const stop = new AbortController();
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop.abort());
      const [{ runDemo }, { edgeTable, isGood, summaryJson, summaryLines }, { screenOn, silentScreen }] =
        await Promise.all([import('./demo/run-demo.ts'), import('./demo/report.ts'), import('./demo/screen.ts')]);
      const screen = output === 'json' ? silentScreen : screenOn(process.stdout);
      try {
        const summary = await runDemo({ durationMs: duration, screen, stop: stop.signal });
        if (summary === undefined) throw new Error('stopped before the shop was open');
        const { edges, seconds } = summary;
        const perSecond = edges.map(({ requests }) => requests / seconds);
        process.stdout.write(
          output === 'json'
            ? summaryJson(summary)
            : ['', ...edgeTable(edges, perSecond), ...summaryLines(summary), ''].join('\n'),
        );
        process.exitCode = isGood(summary) ? 0 : 1;
      } catch (error) {
        report(error);
      }
    });
};

const readMs = (text: string): number => {
  const ms = parseDuration(text);
  if (ms === undefined || ms === 0) throw new InvalidArgumentError('It must be a duration such as 20s or 5m.');
  return ms;
};

/** The command line of the benchmark. */
import { parseArgs } from 'node:util';
import type { PeerName } from './peers/peer.ts';

export const USAGE = `usage: npm run bench -- [options]
       npm run bench -- profile WORKLOAD [--seconds N]

  --runs N            rounds per workload (5)
  --seconds N         length of each run (5)
  --only NAME,…       these workloads only
  --peers NAME,…      ours and these peers only: haproxy, nginx, envoy, "usual way"
  --before DIR        also the sidecars of another work tree, to measure a change against
  --quick             one short round of the most telling workloads, under a minute
  --strict            exit code 1 when a target does not hold
  --output json       the raw samples too, on standard output
  --results FILE      where the report goes; by default bench/RESULTS.md after a whole benchmark, and nowhere after a part of one
  --keep DIR          where profile leaves its .cpuprofile files; by default nowhere
  --list              names of the workloads
`;

export interface BenchmarkArguments {
  readonly command: 'run' | 'profile' | 'list' | 'help';
  /** For `profile`. */
  readonly workload: string;
  readonly runs: number;
  readonly seconds: number;
  /** Before the first run of a pair. */
  readonly warmUpSeconds: number;
  /** Empty: all. */
  readonly only: readonly string[];
  /** Empty: all. */
  readonly peers: readonly PeerName[];
  /** A work tree to compare with. */
  readonly before: string | undefined;
  readonly strict: boolean;
  readonly json: boolean;
  /** Where profiles are kept; undefined: nowhere. */
  readonly keep: string | undefined;
  /** Where the report goes; undefined: nowhere. */
  readonly results: string | undefined;
}

/** V8 compiles for this long on two busy cores; a pair that is not warm costs up to twice as much. */
const WARM_UP_SECONDS = 12;

/** What `--quick` measures: each driver and each protocol once. */
const QUICK = {
  runs: 1,
  seconds: 1,
  only: ['http1-32', 'bodies-1mb', 'http2', 'http2-traceparent', 'grpc'],
  peers: ['ours', 'haproxy', 'usual way'],
} as const;

const list = (text: string | undefined): string[] => text?.split(',').filter(name => name !== '') ?? [];

const positive = (name: string, text: string | undefined, otherwise: number): number => {
  const value = text === undefined ? otherwise : Number(text);
  if (!(value > 0)) throw new Error(`--${name} must be a number above 0, not ${text}`);
  return value;
};

const PEER_NAMES: readonly PeerName[] = [
  'ours',
  'ours (built)',
  'ours with 2 workers',
  'haproxy',
  'nginx',
  'envoy',
  'usual way',
];

const peerNames = (text: string | undefined): PeerName[] =>
  list(text).map(name => {
    const peer = PEER_NAMES.find(known => known === name);
    if (peer === undefined) throw new Error(`there is no peer ${name}; there are ${PEER_NAMES.join(', ')}`);
    return peer;
  });

/** @throws with a sentence about the first wrong argument. */
export const readArguments = (args: readonly string[], defaultResults: string): BenchmarkArguments => {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      runs: { type: 'string' },
      seconds: { type: 'string' },
      only: { type: 'string' },
      peers: { type: 'string' },
      before: { type: 'string' },
      results: { type: 'string' },
      output: { type: 'string' },
      keep: { type: 'string' },
      quick: { type: 'boolean', default: false },
      strict: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const [command = 'run', workload = ''] = positionals;
  if (command !== 'run' && command !== 'profile') throw new Error(`there is no command ${command}`);
  if (command === 'profile' && workload === '') throw new Error('profile needs the name of a workload');
  if (values.output !== undefined && values.output !== 'json')
    throw new Error(`--output knows only json, not ${values.output}`);
  const whole = !values.quick && values.only === undefined && values.peers === undefined;
  const seconds = positive('seconds', values.seconds, values.quick ? QUICK.seconds : 5);
  return {
    command: values.help ? 'help' : values.list ? 'list' : command,
    workload,
    runs: Math.ceil(positive('runs', values.runs, values.quick ? QUICK.runs : 5)),
    seconds,
    warmUpSeconds: values.quick ? Math.min(2, seconds) : WARM_UP_SECONDS,
    only: values.only === undefined && values.quick ? QUICK.only : list(values.only),
    peers: values.peers === undefined && values.quick ? QUICK.peers : peerNames(values.peers),
    before: values.before,
    strict: values.strict,
    json: values.output === 'json',
    keep: values.keep,
    results: values.results ?? (whole ? defaultResults : undefined),
  };
};

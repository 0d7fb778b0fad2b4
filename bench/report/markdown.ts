/** The report for people: RESULTS.md. */
import type { PeerName } from '../peers/peer.ts';
import { FIGURES, type Figure } from '../workloads/workload.ts';
import type { Machine } from './machine.ts';
import { ratios, type Summary, summarize } from './statistics.ts';
import { figureByRound, type Verdict, type WorkloadResult } from './verdict.ts';

export interface Report {
  readonly machine: Machine;
  /** ISO 8601. */
  readonly date: string;
  readonly command: string;
  readonly runs: number;
  readonly seconds: number;
  readonly results: readonly WorkloadResult[];
  readonly verdicts: readonly Verdict[];
}

const range = ({ median, least, most, runs }: Summary, digits: number): string => {
  const text = (value: number): string =>
    value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return runs === 1 ? text(median) : `${text(median)} (${text(least)}–${text(most)})`;
};

const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [row(head), row(head.map(() => '---')), ...rows.map(row)].join('\n');

const against = ({ target }: Verdict): string => {
  if (target.against === undefined) return '–';
  return 'peer' in target.against ? target.against.peer : `our ${target.against.workload}`;
};

const targetRow = (verdict: Verdict): string[] => {
  const { target, measured, outcome, faulty } = verdict;
  const { title, digits } = FIGURES[target.figure];
  const sign = target.bound === 'atMost' ? '≤' : '≥';
  const shown = measured === undefined ? '–' : range(measured, target.against === undefined ? digits : 2);
  const note = faulty > 0 ? `, ${faulty} faulty` : '';
  const who = target.of === undefined ? '' : ` (${target.of})`;
  return [
    target.workload + who,
    title,
    against(verdict),
    shown,
    `${sign} ${target.must}`,
    `${sign} ${target.goal}`,
    `**${outcome}**${note}`,
  ];
};

const figuresOf = (result: WorkloadResult): Figure[] => {
  const samples = [...result.samples.values()].flat();
  return (Object.keys(FIGURES) as Figure[]).filter(figure =>
    samples.some(sample => sample.figures[figure] !== undefined),
  );
};

const cell = (result: WorkloadResult, peer: PeerName, figure: Figure): string => {
  const theirs = figureByRound(result.samples.get(peer) ?? [], figure);
  const summary = summarize(theirs.filter(value => value !== undefined));
  if (summary === undefined) return '–';
  const text = range(summary, FIGURES[figure].digits);
  if (peer === 'ours') return text;
  const ratio = summarize(ratios(figureByRound(result.samples.get('ours') ?? [], figure), theirs));
  return ratio === undefined ? text : `${text}; ours is ${range(ratio, 2)} of it`;
};

const faultLines = (result: WorkloadResult): string[] =>
  [...result.samples].flatMap(([peer, samples]) => {
    const sentences = [...new Set(samples.flatMap(sample => sample.faults))];
    return sentences.length === 0
      ? []
      : [`- ${peer}, rounds with faults are not counted: ${sentences.slice(0, 3).join(' ')}`];
  });

const section = (result: WorkloadResult): string => {
  const figures = figuresOf(result);
  const rows = [...result.samples.keys()].map(peer => [peer, ...figures.map(figure => cell(result, peer, figure))]);
  const measured = rows.length === 0 ? [] : [table(['pair', ...figures.map(figure => FIGURES[figure].title)], rows)];
  const notes = [...faultLines(result), ...result.skipped.map(sentence => `- ${sentence}`)];
  return [`### ${result.workload}: ${result.title}`, ...measured, ...(notes.length > 0 ? [notes.join('\n')] : [])].join(
    '\n\n',
  );
};

export const formatMarkdown = (report: Report): string =>
  `# Benchmark results

${report.date}, \`${report.command}\`, ${report.runs} run${report.runs === 1 ? '' : 's'} of ${report.seconds} s each, interleaved between the pairs.
${report.machine.processor}, ${report.machine.cores} cores, ${report.machine.memoryGb} GB, ${report.machine.kernel}; load average before ${report.machine.loadAverage.toFixed(1)}, CPU time stolen by the hypervisor ${report.machine.stolenPercent.toFixed(0)} %. Load generator, app and pair share these cores,
so requests/s and latency tell less than the CPU time of the pair, and every figure means something only beside a peer's of the same round.

${table(
  ['program', 'version'],
  report.machine.versions.map(([program, version]) => [program, version]),
)}

A request travels app → A → mTLS → B → app; CPU is user + system time of A and B with all their children (\`/proc/PID/stat\`) around the load.
Medians, with the least and the most in parentheses; ratios are taken round by round. Each run begins with a request whose exact answer must come from the app, which must have counted it.

## Targets

${table(['workload', 'figure', 'against', 'measured', 'must hold', 'goal', 'verdict'], report.verdicts.map(targetRow))}

## Figures

${report.results.map(section).join('\n\n')}
`;

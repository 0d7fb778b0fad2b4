import type { LogOutput } from '../../common/log-output.ts';

/** The access log's hold on the output that it shares with the process's own log. */
export class LineWriter {
  private readonly output: LogOutput;

  constructor(output: LogOutput) {
    this.output = output;
  }

  /** Lines of all logs that were dropped. */
  get dropped(): number {
    return this.output.dropped;
  }

  /** `line` with its end. */
  write(line: string): void {
    this.output.write(line);
  }

  flush(): Promise<void> {
    return this.output.flush();
  }
}

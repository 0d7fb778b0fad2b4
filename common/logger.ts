import pino, { type BaseLogger } from 'pino';
import { fileSink, LogOutput } from './log-output.ts';

/** From chatty to mute. `OUTRIDER_LOG_LEVEL`. */
export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Facts beside the message, in `snake_case`; an Error under `error` is written with its stack. Never secrets. */
export type LogFields = Readonly<Record<string, unknown>>;

/** What happened to this process, for its operator. Not for what happened to a request: that is the access log. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger whose lines all have these fields. It follows the level of the root. */
  child(fields: LogFields): Logger;
}

/** The logger of a process, and its level, which can be changed while it runs. */
export interface RootLogger extends Logger {
  level: LogLevel;
  /** The same log for code that speaks pino. */
  readonly pino: BaseLogger;
}

/** Where the lines of a process go: by default to standard output. */
export const openLogOutput = (fd = 1): LogOutput => new LogOutput(fileSink(fd));

/** JSON lines, `{"level","time","message",…}`, by pino. */
export const createLogger = (level: LogLevel, output: Pick<LogOutput, 'write'>): RootLogger => {
  const root = pino(
    {
      level,
      base: { type: 'log' },
      messageKey: 'message',
      errorKey: 'error',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: label => ({ level: label }) },
    },
    output,
  );
  return {
    ...withFields(root, {}),
    pino: root,
    get level() {
      return root.level as LogLevel;
    },
    set level(next) {
      root.level = next;
    },
  };
};

/** pino's own children keep the level that they were made with. */
const withFields = (root: pino.Logger, own: LogFields): Logger => ({
  debug: (message, fields) => root.debug({ ...own, ...fields }, message),
  info: (message, fields) => root.info({ ...own, ...fields }, message),
  warn: (message, fields) => root.warn({ ...own, ...fields }, message),
  error: (message, fields) => root.error({ ...own, ...fields }, message),
  child: fields => withFields(root, { ...own, ...fields }),
});

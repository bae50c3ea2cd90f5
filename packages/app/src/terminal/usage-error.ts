import { CommanderError } from 'commander';

/** End of the argument parser: wrong usage of a command, or its help or version (exit code 0). */
export class UsageError extends CommanderError {
  /** Such as `k8s render`; empty for the program itself. */
  readonly commandName: string;

  constructor({ exitCode, code, message }: CommanderError, commandName: string) {
    super(exitCode, code, message);
    this.commandName = commandName;
  }
}

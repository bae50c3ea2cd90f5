/** Command that reports an unknown flag before a missing flag: usually one is a misspelling of the other. */
import { Command, type ParseOptionsResult } from 'commander';

export class CheckedCommand extends Command {
  override createCommand(name?: string): Command {
    return new CheckedCommand(name);
  }

  override parseOptions(argv: string[]): ParseOptionsResult {
    const parsed = super.parseOptions(argv);
    const isHelpOnly = parsed.unknown.every((word) => word === '-h' || word === '--help');
    if (!isHelpOnly) for (const option of this.options) option.makeOptionMandatory(false);
    return parsed;
  }
}

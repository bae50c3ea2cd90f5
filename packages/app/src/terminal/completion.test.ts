import { describe, expect, it } from 'vitest';
import { allCommands, buildProgram, commandsOf } from '../build-program.js';
import { completionScript, shells } from './completion.js';

describe('completionScript', () => {
  it.each(shells)('names every command and flag for %s', (shell) => {
    const program = buildProgram();
    const script = completionScript(shell, allCommands(program));
    for (const { command } of commandsOf(program)) {
      expect(script).toContain(command.name());
      for (const { long } of command.options)
        expect(script).toContain(shell === 'fish' ? `-l ${long?.slice(2)}` : long);
    }
  });

  it('quotes descriptions for fish', () => {
    const script = completionScript('fish', allCommands(buildProgram()));
    for (const line of script.trim().split('\n')) expect(line.replaceAll("\\'", '').split("'").length % 2).toBe(1);
  });
});

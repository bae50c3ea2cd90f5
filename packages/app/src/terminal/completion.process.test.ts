/** The script of `equipoise completion bash`, in bash itself. */
import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { allCommands, buildProgram } from '../build-program.js';
import { completionScript } from './completion.js';

const script = completionScript('bash', allCommands(buildProgram()));

/** Words that bash offers after this line; the last word is the one to complete. */
function offered(...line: readonly string[]): readonly string[] {
  const asked = `${script}
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _equipoise; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const text = execFileSync('bash', ['--norc', '-c', asked, 'bash', ...line], { encoding: 'utf8' });
  return text.split('\n').filter((word) => word !== '');
}

describe('completion in bash', () => {
  it.each([
    [['equipoise', 'pl'], ['plan']],
    [['equipoise', 'k8s', 'a'], ['apply']],
    [['equipoise', 'plan', '--arrival'], ['--arrival-rps']],
    [['equipoise', 'plan', 'f.yaml', '--policy', 'r'], ['rim']],
    [['equipoise', 'plan', '--arrival-rps', ''], []],
    [['equipoise', 'serve', 'pipe'], []],
    [['equipoise', 'completion', 'z'], ['zsh']],
    [['equipoise', '--v'], ['--version']],
  ])('after %j it offers %j', (line, words) => {
    expect(offered(...line)).toEqual(words);
  });

  it('offers every command', () => {
    const names = buildProgram().commands.map((command) => command.name());
    expect(offered('equipoise', '').toSorted()).toEqual(names.toSorted());
  });
});

/** Programs that a test or a benchmark runs to their end. */
import { spawn } from 'node:child_process';

export interface EndedProgram {
  /** Program and arguments. */
  readonly command: string;
  /** Null if a signal ended the program. */
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program with `input` on its standard input. Rejects only if the program cannot be started. */
export function runToEnd(program: string, args: readonly string[], input = ''): Promise<EndedProgram> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args);
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.on('error', reject);
    child.on('close', (exitCode) => resolve({ command: [program, ...args].join(' '), exitCode, stdout, stderr }));
    child.stdin.on('error', () => undefined).end(input);
  });
}

/** Output of a program that must succeed. */
export async function outputOf(running: Promise<EndedProgram>): Promise<string> {
  const { command, exitCode, stdout, stderr } = await running;
  if (exitCode !== 0) throw new Error(`${command} ended with ${exitCode}:\n${stderr}${stdout}`);
  return stdout;
}

/** The page docs/reference/errors.md: every error code with its HTTP status, exit code and remedy. */
import { errorCodes } from '@equipoise/core/model';
import { markdownTable } from './markdown-table.js';

/** Markdown of the page. */
export function renderErrorTable(): string {
  const rows = Object.entries(errorCodes).map(([code, { httpStatus, exitCode, remedy }]) => [
    `<a id="${code.toLowerCase()}"></a>\`${code}\``,
    String(httpStatus),
    String(exitCode),
    remedy,
  ]);
  const page = [
    '# Errors',
    'Every error has a code. For each code the table has the HTTP status with which the server answers, and the exit code of a command. With `--json` a command prints `{"error": {"code", "message", "details", "docs"}}`. `npm run generate` generates this page.',
    'Exit codes: 0 success · 1 negative result (an invalid file, no feasible plan, failed requests) · 2 wrong usage · 3 other failure (such as of a file, the network or a server).',
    markdownTable(['code', 'HTTP status', 'exit code', 'what to do'], rows),
  ];
  return `${page.join('\n\n')}\n`;
}

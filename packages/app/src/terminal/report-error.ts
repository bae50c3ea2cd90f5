import { AppError, errorCodes } from '@equipoise/core/model';
import pc from 'picocolors';

/**
 * Prints an error with its remedy on stderr, or with `--json` as one document on stdout. Sets the exit code. Errors
 * other than AppError are defects: their stack goes to stderr.
 */
export function reportError(error: unknown, json: boolean, ownRemedy?: string): void {
  if (!(error instanceof AppError)) process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  const { code, message, details } = error instanceof AppError ? error : defect(error);
  const { exitCode, remedy: usualRemedy } = errorCodes[code];
  const remedy = ownRemedy ?? usualRemedy;
  const docs = `docs/reference/errors.md#${code.toLowerCase()}`;
  process.exitCode = exitCode;
  if (json) process.stdout.write(`${JSON.stringify({ error: { code, message, details, docs } }, null, 2)}\n`);
  else process.stderr.write(`${pc.red(`error ${code}`)}: ${message}\n${pc.dim(`${remedy} (${docs})`)}\n`);
}

function defect(error: unknown): AppError {
  return new AppError('INTERNAL_ERROR', error instanceof Error ? error.message : String(error));
}

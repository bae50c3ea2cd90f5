/** The variables of a command: `{port}` and other names in braces, replaced in its arguments, its environment and its address. */
import { AppError } from '@equipoise/core/model';

/** Values by name. */
export type TemplateValues = Readonly<Record<string, string>>;

/** Names that a command may use. */
const templateNames = ['port', 'port2', 'port3', 'cpuCores', 'threads'] as const;

/** The text with its variables replaced; AppError MODEL_LOAD_FAILED names one that does not exist. */
export function filledTemplate(text: string, values: TemplateValues): string {
  return text.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = values[name];
    if (value !== undefined) return value;
    throw new AppError(
      'MODEL_LOAD_FAILED',
      `A command has no variable {${name}}; it has {${templateNames.join('}, {')}}.`,
    );
  });
}

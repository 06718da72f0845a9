// thimble doctor: which tools there are on this machine, and what each board can have done with it here.
import { isForSdk, readBoard, readmeOf } from '../firmware/boards.js';
import { type BoardReadiness, type Examination, examine, type ToolReport } from '../firmware/doctor/examine.js';
import { commandForPeople, install } from '../firmware/doctor/install.js';
import { FirmwareError } from '../firmware/error.js';
import { colours, print, printJson, table } from './output.js';

export interface DoctorCommandOptions {
  readonly install?: boolean;
  readonly json?: boolean;
}

export async function runDoctor(options: DoctorCommandOptions): Promise<void> {
  const before = await examine();
  if (options.install === true && before.packages.length > 0) await install(before.packages);
  const after = options.install === true ? await examine() : before;
  if (options.json === true) printJson(asJson(after));
  else printExamination(after);
  if (options.install === true && after.packages.length > 0) {
    throw new FirmwareError(
      'ERR_INSTALL',
      `still missing after apt-get said that all is well: ${after.packages.join(', ')}`,
    );
  }
}

function asJson({ tools, boards, packages }: Examination): object {
  return { tools, boards, install: packages.length === 0 ? null : commandForPeople(packages) };
}

function printExamination({ tools, boards, packages }: Examination): void {
  print(
    table(
      ['tool', 'ready', 'version', 'what for'],
      tools.map((tool) => toolRow(tool, boards.length)),
    ),
  );
  print('');
  print(table(['board', 'builds here', 'runs here', 'can be written', 'missing'], boards.map(boardRow)));
  const ofSdk = boards.map(({ name }) => readBoard(name)).filter(isForSdk);
  if (ofSdk.length > 0) {
    print(`\n${ofSdk.map(({ name }) => name).join(', ')}: a build is a module and a header for the SDK's own project:`);
    for (const board of ofSdk) print(`  ${readmeOf(board)}`);
  }
  const others = tools.filter((tool) => !tool.ready && tool.package === null);
  if (packages.length === 0 && others.length === 0) {
    print('\nEverything is here.');
    return;
  }
  print('\nTo get what is missing:');
  if (packages.length > 0) print(`  ${commandForPeople(packages)}`);
  for (const { name, get } of others) print(`  ${name}: ${get}`);
}

function toolRow({ name, ready, version, boards, purpose }: ToolReport, boardsInAll: number): string[] {
  const isForSome = boards.length > 0 && boards.length < boardsInAll;
  const what = isForSome ? `${purpose} (${boards.join(', ')})` : purpose;
  return [name, yesOrNo(ready), version ?? '–', what];
}

function boardRow({ name, build, run, flash, missing }: BoardReadiness): string[] {
  return [name, ...[build, run, flash].map(yesOrNo), missing.join(', ')];
}

function yesOrNo(value: boolean | null): string {
  if (value === null) return '–';
  return value ? 'yes' : colours.red('no');
}

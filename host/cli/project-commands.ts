// The command line, continued: what there is to type for a project of one's own, from its first day to the board.
import type { Command } from 'commander';

export function addProjectCommands(program: Command): void {
  program
    .command('new')
    .description('make a folder with an application of your own, its scenario and its test')
    .argument('<NAME>', 'what it is called: the folder to make, and the application in it')
    .option('--json', 'print one JSON document')
    .addHelpText('after', '\nExample:\n  thimble new doorbell')
    .action(async (name, options) => (await import('./new.js')).runNew(name, options));

  program
    .command('size')
    .description('build an application for boards side by side, and compare what it takes')
    .argument('[APP]', 'a file, or the name of an example or module', 'sensor')
    .option('--boards <names>', 'boards with a comma between, or all', 'all')
    .option('--json', 'print one JSON document')
    .addHelpText('after', '\nExample:\n  thimble size sensor --boards BOARD,BOARD')
    .action(async (app, options) => (await import('./size.js')).runSize(app, options));

  program
    .command('flash')
    .description("write an application to a real board, with the board's own tool")
    .argument('<APP>', 'a file, the name of an example or module, or a .hex, .bin, .elf or .wasm that is built already')
    .requiredOption('--board <name>', 'the board it is for: a folder under boards/')
    .option('--dry-run', 'print the command, and do not run it')
    .option('--json', 'print one JSON document')
    .addHelpText('after', '\nExample:\n  thimble flash doorbell.ts --board BOARD --dry-run')
    .action(async (app, options) => (await import('./flash.js')).runFlash(app, options));

  program
    .command('doctor')
    .description('which tools are here, what needs them, and how to get what is missing')
    .option('--install', 'install what is missing from Debian, as root; default: only say')
    .option('--json', 'print one JSON document')
    .addHelpText('after', '\nExample:\n  thimble doctor')
    .action(async (options) => (await import('./doctor.js')).runDoctor(options));
}

// The command line, continued: who may come to the broker.
import type { Command } from 'commander';

export function addIdentityCommands(program: Command): void {
  program
    .command('password')
    .description("add a user to the broker's file of passwords, change the password, or take the user away")
    .argument('<FILE>', 'the file, as identity.passwords.file of the configuration names it; made if missing')
    .argument('<USER>', 'the user name')
    .option('--delete', 'take the user away; default: ask for a password, or read it from stdin')
    .option('--json', 'print one JSON document')
    .addHelpText(
      'after',
      '\nExample:\n  thimble password broker.passwords lamp-1' +
        '\n  printf %s "$SECRET" | thimble password broker.passwords lamp-1',
    )
    .action(async (file, user, options) => (await import('./password.js')).runPassword(file, user, options));
}

// The contract of boards, on an emulated RV32.
import { describeBoard } from './contract.js';

describeBoard('sifive_e');

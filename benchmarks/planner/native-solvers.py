"""Solves models with native HiGHS and CP-SAT, one thread each. Reads one JSON model per line and writes one JSON answer per line."""
import json
import os
import sys
import time

import highspy
import numpy
from ortools.sat.python import cp_model

# CP-SAT counts in integers: fractions of a millisecond, of a core and of the logarithm of the accuracy.
ROW_SCALE = 10**5
GAIN_SCALE = 10**8


def highs(model):
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = model["columns"], model["rows"]
    lp.sense_ = highspy.ObjSense.kMaximize
    lp.col_cost_ = numpy.array(model["gains"])
    lp.col_lower_ = numpy.zeros(model["columns"])
    lp.col_upper_ = numpy.array(model["upper"])
    lp.row_lower_ = numpy.array([-highspy.kHighsInf if x is None else x for x in model["rowLower"]])
    lp.row_upper_ = numpy.array([highspy.kHighsInf if x is None else x for x in model["rowUpper"]])
    lp.integrality_ = [
        highspy.HighsVarType.kInteger if i < model["binaries"] else highspy.HighsVarType.kContinuous
        for i in range(model["columns"])
    ]
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.start_ = numpy.array(model["starts"], dtype=numpy.int32)
    lp.a_matrix_.index_ = numpy.array(model["indices"], dtype=numpy.int32)
    lp.a_matrix_.value_ = numpy.array(model["values"])
    solver = highspy.Highs()
    solver.setOptionValue("output_flag", False)
    solver.setOptionValue("threads", 1)
    solver.setOptionValue("mip_rel_gap", 0.0)
    solver.setOptionValue("mip_abs_gap", 0.0)
    solver.passModel(lp)
    wall, cpu = time.perf_counter(), time.process_time()
    solver.run()
    took = {"elapsedMs": 1000 * (time.perf_counter() - wall), "cpuMs": 1000 * (time.process_time() - cpu)}
    optimal = solver.getModelStatus() == highspy.HighsModelStatus.kOptimal
    return {**took, "value": solver.getObjectiveValue() if optimal else None}


def cp_sat(model):
    program = cp_model.CpModel()
    binaries = model["binaries"]
    variables = [
        program.new_bool_var("") if i < binaries else program.new_int_var(0, round(ROW_SCALE * model["upper"][i]), "")
        for i in range(model["columns"])
    ]
    for row in range(model["rows"]):
        span = slice(model["starts"][row], model["starts"][row + 1])
        indices, values = model["indices"][span], model["values"][span]
        lower, upper = model["rowLower"][row], model["rowUpper"][row]
        if lower == 1 and upper == 1:
            program.add_exactly_one(variables[i] for i in indices)
            continue
        # Finish times already have scaled units; binary variables get scaled coefficients.
        scaled = [round(v) if i >= binaries else round(ROW_SCALE * v) for i, v in zip(indices, values)]
        total = cp_model.LinearExpr.weighted_sum([variables[i] for i in indices], scaled)
        if lower is not None:
            program.add(total >= round(ROW_SCALE * lower))
        if upper is not None:
            program.add(total <= round(ROW_SCALE * upper))
    gains = [round(GAIN_SCALE * gain) for gain in model["gains"]]
    program.maximize(cp_model.LinearExpr.weighted_sum(variables, gains))
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    wall, cpu = time.perf_counter(), time.process_time()
    status = solver.solve(program)
    took = {"elapsedMs": 1000 * (time.perf_counter() - wall), "cpuMs": 1000 * (time.process_time() - cpu)}
    value = solver.objective_value / GAIN_SCALE if status == cp_model.OPTIMAL else None
    return {**took, "value": value}


# Solvers print banners, so only answers use the real stdout.
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
for line in sys.stdin:
    question = json.loads(line)
    print(json.dumps({"highs": highs(question), "cpSat": cp_sat(question)}), file=answers, flush=True)

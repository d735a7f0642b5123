"""How much of the answer is there without sampling, and which shortcuts can be trusted?

Three yes/no answers per person, and people who differ much: Laplace and PQL are far off, quadrature needs many nodes,
and a GEE estimates the population-averaged coefficients alone.

    python examples/fast_answers.py
"""

import bayes_glmm as bg
from bayes_glmm.datasets import abortion

model = bg.GLMM("response ~ situation + gender + (1 | person)", abortion(), family="bernoulli")

laplace = bg.approx.laplace(model)
few, many = (bg.approx.aghq(model, nodes=nodes) for nodes in (25, 100))
pql = bg.approx.pql(model)
for fit in (laplace, few, many, pql):
    print(f"{fit.method:51s} sd of person {fit.sd('person')[0]:.2f}, {fit.seconds:.1f} s", *fit.messages, sep="\n  ")

# Population-averaged coefficients, by quadrature from the conditional model, and by a GEE directly
print("", many.marginal_coefficients(), sep="\n")
print("", bg.approx.side_by_side(bg.approx.gee(model), many).round(3).to_string(index=False), sep="\n")

# A posterior without a sampler, and whether to believe it: the first verdict is "Do not use"
for nodes in (1, 100):
    posterior = bg.approx.laplace_posterior(model, draws=200, nodes=nodes)
    print("", f"{nodes} nodes: {posterior.provenance['verdict']}", sep="\n")
print(bg.Fit(posterior).coefficients())

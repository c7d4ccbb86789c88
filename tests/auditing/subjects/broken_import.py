import package_that_nobody_has

Norm = package_that_nobody_has.Norm
